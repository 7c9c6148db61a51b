"""What `portsup init` asks where there is no file to read."""

from __future__ import annotations

import click

from supervisor.config.names import wrong_name
from supervisor.config.pool_keys import HIGHEST_PORT
from supervisor.importing.draft import Draft, Port, ServiceDraft
from supervisor.importing.naming import legal_names
from supervisor.importing.own_port import find_own_port
from supervisor.importing.shell_lines import read_line
from supervisor.importing.texts import Ref, Text


def ask() -> Draft:
    """Service after service, until no further one is named. Raises click.Abort at the end of the input."""
    draft = Draft("your answers")
    name = _ask_name("Name of a service", "web")
    while name:
        draft.services.append(_service(name))
        name = _ask_name("Name of another one (empty: that was all)", "")
    names = legal_names(dict.fromkeys(service.name for service in draft.services))
    for service in draft.services:
        service.name = names[service.name]
    return draft


def _ask_name(question: str, default: str) -> str:
    while True:
        name = str(click.prompt(question, default=default, show_default=bool(default), err=True)).strip()
        reason = wrong_name(name) if name else None
        if reason is None:
            return name
        click.echo(reason, err=True)


def _service(name: str) -> ServiceDraft:
    line = read_line(str(click.prompt(f"Command that starts {name}", err=True)))
    own = find_own_port(Text.of(line.command))
    usual = click.prompt(
        "Port on which people know it (0: it listens on none)",
        default=own.usual or 0,
        type=click.IntRange(0, HIGHEST_PORT),
        err=True,
    )
    if usual:
        own = find_own_port(Text.of(line.command), usual)
    service = ServiceDraft(name, own.command if usual else Text.of(line.command), line.shell, line.cwd)
    service.env = {key: Text.of(value) for key, value in line.env.items() if key != "PORT"}
    if usual:
        service.ports = [Port(usual)]
        if own.env:
            service.env[own.env] = Text.of(Ref("port"))
        if not own.told:
            service.remarks.append("let it listen on $PORT, if it doesn't yet")
    return service
