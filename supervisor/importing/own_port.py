"""The port that a command line names as its own, or that its server takes by itself. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from supervisor.config.pool_keys import HIGHEST_PORT
from supervisor.importing.servers import Server, server_in
from supervisor.importing.texts import PORT_VARIABLE, Part, Ref, Text, with_port

_OPTIONS = r"(?: --?(?:[\w.-]*[.-])?port | -p | -l | --listen )"
_BIND_OPTIONS = r"(?: -b | --bind | -S | -a | --addr(?:ess)? | --dev-addr | --http )"
_ANY_HOST = r"(?: 0\.0\.0\.0 | \[::\] | \* )"

_LOWEST = 80
"""Below, a number behind -p or -b is something else: a depth, a count."""

_NUMBER = r"(\d{2,5})(?![\w.:/-])"
_HOST = r"(?:(?:tcp|http)://)?(?:[\w.*-]*|\[[\da-fA-F:]*\]):"
_OWN_PORT = re.compile(
    rf"""
      (?<!\S) {_OPTIONS} [=\s] \s* (?:{_HOST})? {_NUMBER}
    | (?<!\S) -p {_NUMBER}
    | (?<!\S) {_BIND_OPTIONS} [=\s] \s* ["']? {_HOST} {_NUMBER}
    | \b runserver \s+ (?: [^\s-] \S* : )? {_NUMBER}
    | -m \s+ http\.server \s+ {_NUMBER}
    | (?<!\S) ["']? (?:(?:tcp|http)://)? {_ANY_HOST}? : {_NUMBER}
    """,
    re.VERBOSE,
)

_SEVERAL = re.compile(r"[;&|\n]")
"""Several commands: what is put behind the line would be the last one's."""

_CLIENTS = re.compile(
    r"\s*(?:\S*/)?(?:psql|mysql|redis-cli|mongosh?|ssh|scp|curl|wget|stripe|ngrok|docker)\b"
)
"""A port behind their -p is somebody else's."""


class OwnPort(NamedTuple):
    command: Text
    usual: int | None = None
    listens: bool = False
    env: str | None = None
    """The variable in which the server looks for its port, if that isn't PORT."""
    told: bool = False
    """The command line, or `env`, names the port now."""


def names_port(line: str) -> bool:
    """Whether a command line says itself where it listens."""
    return PORT_VARIABLE.search(line) is not None or any(_numbers(line))


def find_own_port(command: Text, known: int | None = None) -> OwnPort:
    """The command line with `${port}` where it named its port. `known`: that number is its port."""
    line = "".join(part if isinstance(part, str) else "0" for part in command.parts)
    if variable := PORT_VARIABLE.search(line):
        usual = _fallback(variable) if known is None else known
        return OwnPort(with_port(command), usual, listens=True, told=True)
    server = server_in(line)
    numbers = [] if _CLIENTS.match(line) and server is None else list(_numbers(line))
    if known is not None and known not in numbers and _mentions(line, known):
        numbers.insert(0, known)
    if known is not None and numbers and known not in numbers:
        return OwnPort(command, known, listens=True)
    if numbers:
        usual = known if known is not None else numbers[0]
        return OwnPort(_with_ref(command, usual), usual, listens=True, told=True)
    return _by_server(command, line, server, known)


def _fallback(variable: re.Match[str]) -> int | None:
    """The 3000 of `${PORT:-3000}`."""
    number = int(variable["usual"] or 0)
    return number if _LOWEST <= number <= HIGHEST_PORT else None


def _numbers(line: str) -> Iterator[int]:
    for match in _OWN_PORT.finditer(line):
        number = int(next(filter(None, match.groups())))
        if _LOWEST <= number <= HIGHEST_PORT:
            yield number


def _mentions(line: str, number: int) -> bool:
    return re.search(rf"(?<![\w.]){number}(?![\w.])", line) is not None


def _with_ref(command: Text, number: int) -> Text:
    return command.replace(re.compile(rf"(?<![\d.]){number}(?![\d.])"), lambda _: [Ref("port")])


def _by_server(command: Text, line: str, server: Server | None, known: int | None) -> OwnPort:
    if server is None:
        return OwnPort(command, known, listens=known is not None)
    usual = server.usual if known is None else known
    if server.option is None:
        return OwnPort(command, usual, listens=True, env=server.env, told=True)
    if _SEVERAL.search(line):
        return OwnPort(command, usual, listens=True)
    return OwnPort(Text.of(*command.parts, *option(server.option)), usual, listens=True, told=True)


def option(template: str) -> list[Part]:
    """What tells a server its port, to be put behind its command line."""
    before, _, after = template.partition("{}")
    return [f" {before}", Ref("port"), after]
