"""Which variables a child gets. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from supervisor.config.variables import LISTEN
from supervisor.marker import UNIT

_HANDED_DOWN = frozenset({UNIT, "NOTIFY_SOCKET"}) | LISTEN
"""Meant for this supervisor alone: the mark of an outer unit, and systemd's sockets."""

_SERVICE_VARIABLE = re.compile(r"PORTSUP_.+_(?:PORT|URL)")


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """What a child may have of the supervisor's own environment.

    An instance that was started from inside another one has that one's variables, and with them the
    addresses of services that aren't its own.
    """
    return {
        name: value
        for name, value in environ.items()
        if name not in _HANDED_DOWN and not _SERVICE_VARIABLE.fullmatch(name)
    }
