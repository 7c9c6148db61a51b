"""The environment variables that portsup itself gives to a child."""

from __future__ import annotations

import re

PREFIX = "PORTSUP_"

HOST = "HOST"
INSTANCE = "PORTSUP_INSTANCE"
INSTANCE_ID = "PORTSUP_INSTANCE_ID"
STACK = "PORTSUP_STACK"
SERVICE = "PORTSUP_SERVICE"
BASE_PORT = "PORTSUP_BASE_PORT"
DATA_DIR = "PORTSUP_DATA_DIR"

OWN = frozenset({HOST, INSTANCE, INSTANCE_ID, STACK, SERVICE, BASE_PORT, DATA_DIR})


LISTEN_PID = "LISTEN_PID"
LISTEN_FDS = "LISTEN_FDS"
LISTEN_FDNAMES = "LISTEN_FDNAMES"

LISTEN = frozenset({LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES})
"""Of a listening socket that is handed down: sd_listen_fds(3)."""


def is_own(name: str) -> bool:
    return name == HOST or name.startswith(PREFIX)


def stem(name: str) -> str:
    """A service's or pool's name as a part of a variable's: upper case, `-` as `_`."""
    return name.upper().replace("-", "_")


def port_of(service: str) -> str:
    return f"PORTSUP_{stem(service)}_PORT"


def url_of(service: str) -> str:
    return f"PORTSUP_{stem(service)}_URL"


FORM = "use letters, digits and _, no digit at the front"

NAME = "[A-Za-z_][A-Za-z0-9_]*"

_NAME = re.compile(NAME)


def is_name(name: str) -> bool:
    """Could a shell, too, use a variable of this name?"""
    return _NAME.fullmatch(name) is not None
