"""Procfile → draft, as foreman, honcho and overmind read it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from supervisor.errors import ConfigError
from supervisor.importing.draft import Draft, Lost, Port, ServiceDraft
from supervisor.importing.naming import legal_names
from supervisor.importing.neighbours import Neighbour, meet_neighbours
from supervisor.importing.own_port import find_own_port
from supervisor.importing.shell_lines import read_line
from supervisor.importing.texts import Ref, Text

_LINE = re.compile(r"(?P<name>[\w.@+-]+)\s*:\s*(?P<command>\S.*?)\s*")
"""foreman allows letters, digits, _ and - in a name; others are more generous."""

ONE_OFF = {
    "release": "Heroku runs it before a release",
    "console": "it is run by hand",
    "rake": "it is run by hand",
    "postdeploy": "it runs after a deployment",
}
"""Lines that are no services → when they run."""

WEB = "web"
"""The line that listens on PORT, by Heroku's convention."""

FOREMAN_PORT = 5000
"""What foreman and honcho give to the first line."""


class _Line(NamedTuple):
    name: str
    command: str
    number: int


def read_procfile(text: str, source: str) -> Draft:
    """Raises ConfigError if there is no line of the form `name: command`, or a NUL character."""
    draft = Draft(source)
    lines: dict[str, _Line] = {}
    for line in _lines(text, draft):
        if line.name in lines:
            draft.lost.append(Lost("there is a later line of that name", line.name, lines[line.name].number))
        lines[line.name] = line
    if not lines:
        raise ConfigError(
            f"{source} names no process", hint="its lines have the form `web: command`, as in a Procfile"
        )
    names = legal_names(lines)
    draft.services = [_service(line, names[line.name], draft) for line in lines.values()]
    _number_the_web(draft)
    meet_neighbours(
        Neighbour(service.name, {port.usual for port in service.ports if port.usual}, service)
        for service in draft.live
    )
    return draft


def _lines(text: str, draft: Draft) -> Iterator[_Line]:
    for number, line in enumerate(text.splitlines(), 1):
        if "\0" in line:
            raise ConfigError(
                f"cannot read {draft.source}", details=[f"{draft.source}:{number}: a NUL character"]
            )
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if match := _LINE.fullmatch(line):
            yield _Line(match["name"], match["command"], number)
        else:
            draft.lost.append(Lost("not of the form `name: command`", line=number))


def _number_the_web(draft: Draft) -> None:
    """Where no line names a number, people know foreman's."""
    ports = [port for service in draft.live for port in service.ports]
    if not any(port.usual for port in ports):
        for service in draft.live:
            if service.name == WEB:
                service.ports = [port._replace(usual=FOREMAN_PORT) for port in service.ports]


def _service(line: _Line, name: str, draft: Draft) -> ServiceDraft:
    read = read_line(line.command)
    given = read.env.pop("PORT", "")
    own = find_own_port(Text.of(read.command), int(given) if _is_port(given) else None)
    service = ServiceDraft(name, own.command, shell=read.shell, cwd=read.cwd)
    if name != line.name:
        service.remarks.append(f'"{line.name}" in {draft.source}')
    for key, value in read.env.items():
        if key.startswith("PORTSUP_"):
            draft.lost.append(Lost(f"{key} is portsup's to set", name, line.number))
        else:
            service.env[key] = Text.of(value)
    if own.listens or line.name == WEB:
        service.ports = [Port(own.usual)]
    if own.listens and not (own.told or given):
        draft.lost.append(Lost("nothing here tells it its port: it must listen on $PORT", name, line.number))
    if own.env:
        service.env.setdefault(own.env, Text.of(Ref("port")))
    if line.name in ONE_OFF:
        service.disabled = f"no service: {ONE_OFF[line.name]}"
    return service


def _is_port(text: str) -> bool:
    return re.fullmatch(r"\d{2,5}", text, re.ASCII) is not None and int(text) <= 65535
