"""The `${…}` language: parsing it, naming what it refers to, and filling it in. Pure.

`$$` is a dollar, and a `$` before anything but `{` or `$` stays as it is, so that `$HOME` reaches a
shell untouched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from supervisor.config.lines import KeyPath
from supervisor.config.model import MAIN_POOL, Ready, ReadyKind, Service

ENV = "env:"
"""`${env:HOME}` is a variable of the environment, or of an env file."""

EVERYWHERE = ("instance", "base_port", "stack", "data_dir")
"""The names that mean the same in every service."""

PORT_FD = "port_fd"
"""`${port_fd}` is the descriptor of the socket that is handed down, where `socket = true`."""

_DOLLAR = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>[^}]*)\}|(?P<open>\{))")


def references(text: str) -> list[str]:
    """The names inside every `${…}` of `text`, in order. Raises ValueError if it is malformed."""
    return [_name(match) for match in _DOLLAR.finditer(text) if not match["dollar"]]


def interpolate(text: str, look_up: Callable[[str], str]) -> str:
    """`text` with every `${name}` replaced by `look_up(name)` and `$$` by a dollar.

    Raises ValueError if it is malformed. What `look_up` returns is not looked at again.
    """
    return _DOLLAR.sub(lambda match: "$" if match["dollar"] else look_up(_name(match)), text)


def _name(match: re.Match[str]) -> str:
    if match["open"]:
        raise ValueError("${ is never closed by }")
    if not match["name"]:
        raise ValueError("${} names nothing")
    return match["name"]


def templates(service: Service) -> Iterator[tuple[KeyPath, str]]:
    """Every text of `service` that may hold `${…}`, with its key inside the service.

    A log pattern is not among them: a regular expression has dollars of its own.
    """
    for word in service.command:
        yield ("command",), word
    for key, value in service.env.items():
        yield ("env", key), value
    if service.ready.kind is ReadyKind.HTTP:
        yield ("ready", "http"), service.ready.path
    for word in service.ready.command:
        yield ("ready", "exec"), word


def fill_ready(ready: Ready, look_up: Callable[[str], str]) -> Ready:
    command = tuple(interpolate(word, look_up) for word in ready.command)
    path = interpolate(ready.path, look_up) if ready.kind is ReadyKind.HTTP else ready.path
    return ready._replace(path=path, command=command)


def names(own: Iterable[str], pools: Mapping[str, Iterable[str]], *, socket: bool = False) -> list[str]:
    """Every name but `env:…` that a service may use.

    `own` are its pools' names, `pools` those of every service. `${port}` and `${url}` are the
    service's own main pool's; with `socket` it gets a listening socket.
    """
    result = [*EVERYWHERE, *([PORT_FD] if socket else [])]
    if MAIN_POOL in own:
        result += names_of_pool()
    for service, its in pools.items():
        for pool in its:
            result += names_of_pool(service, pool)
    return result


def names_of_pool(service: str | None = None, pool: str = MAIN_POOL) -> tuple[str, str]:
    """The names of one pool's port and url; of the unit's own main pool without a service."""
    parts = [service] if service else []
    if pool != MAIN_POOL:
        parts.append(pool)
    return ".".join([*parts, "port"]), ".".join([*parts, "url"])
