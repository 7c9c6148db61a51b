"""The ports of a compose service. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from supervisor.config.pool_keys import HIGHEST_PORT
from supervisor.importing.compose_values import Values

_SHORT = re.compile(
    r"(?:(?:[\d.]+|\[[\da-fA-F:]*\]|\w+):)??(?:(?P<host>\d*)(?P<hosts>-\d+)?:)?(?P<target>\d+)(?P<range>-\d+)?"
    r"(?:/(?P<protocol>\w+))?",
    re.ASCII,
)


class Published(NamedTuple):
    container: int
    """On which the service listens in its container."""
    host: int | None = None
    """By which people know it; None: known to the other services only."""


class Unread(NamedTuple):
    """An entry that can't be a port here."""

    why: str
    key: str = "ports"


def ports(entries: Any, values: Values) -> Iterator[Published | Unread]:
    """Of the key `ports`."""
    for entry in entries if isinstance(entries, list) else [entries] if entries is not None else []:
        if isinstance(entry, dict):
            yield _long(entry, values)
        elif isinstance(entry, str):
            yield _short(values.plain(entry))
        else:
            yield Unread("a port that is no text")


_NOT_EXPOSED = "an exposed port that is none here"


def exposed(entries: Any, values: Values) -> Iterator[Published | Unread]:
    """Of the key `expose`."""
    for entry in entries if isinstance(entries, list) else []:
        number = _number(values.plain(entry).removesuffix("/tcp")) if isinstance(entry, str) else None
        yield (Published(number) if number is not None else Unread(_NOT_EXPOSED, "expose"))


def _short(text: str) -> Published | Unread:
    match = _SHORT.fullmatch(text.strip())
    if match is None:
        return Unread("a port that is none")
    if match["range"] or match["hosts"]:
        return Unread("a range of ports")
    return _published(match["target"], match["host"], match["protocol"])


def _long(entry: dict[str, Any], values: Values) -> Published | Unread:
    target, host, protocol = (
        values.plain(value) if isinstance(value := entry.get(key), str) else None
        for key in ("target", "published", "protocol")
    )
    return _published(target, host, protocol)


def _published(target: str | None, host: str | None, protocol: str | None) -> Published | Unread:
    if protocol not in (None, "tcp"):
        return Unread("a port that isn't TCP")
    container = _number(target or "")
    if container is None:
        return Unread("a port that is none")
    return Published(container, _number(host) if host else container if host is None else None)


def _number(text: str) -> int | None:
    if re.fullmatch(r"\d{1,5}", text, re.ASCII) and 1 <= int(text) <= HIGHEST_PORT:
        return int(text)
    return None
