"""`portsup doctor`: is all there that portsup needs, and what to do where it isn't. Only looks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from supervisor import paths
from supervisor.cli import stack_file
from supervisor.cli.checkup import folders, limits, machine, stack
from supervisor.cli.checkup.finding import Finding, Verdict
from supervisor.cli.checkup.leftovers import leftovers
from supervisor.cli.options import examples, file_option, json_option
from supervisor.cli.output import emit_json, emit_lines
from supervisor.config.model import Config
from supervisor.errors import ConfigError, ExitCode
from supervisor.platform import os_facts

SCHEMA = 1


@click.command(epilog=examples("portsup doctor", "portsup doctor --json"))
@file_option
@json_option
@click.pass_context
def doctor(ctx: click.Context, file: Path | None, as_json: bool) -> None:
    """Check what portsup needs of this machine, and say what to do where it isn't there.

    One line for each check: "ok", "warn" (it works, with a drawback) or "fail" (something can't work), what
    is so, what to do, and the command that does it. Nothing is changed. Exit code 1 if a check fails.
    """
    found = list(findings(file))
    if as_json:
        emit_json({"schema": SCHEMA, "checks": [one._asdict() for one in found]})
    else:
        emit_lines(one.line() for one in found)
    if any(one.verdict is Verdict.FAIL for one in found):
        ctx.exit(ExitCode.SERVICE_FAILED)


def findings(file: Path | None) -> Iterator[Finding]:
    locks = paths.lock_folder()
    facts = os_facts.kernel()
    read = _config(file)
    config = read if isinstance(read, Config) else None
    yield machine.python()
    yield machine.kernel(facts)
    yield folders.lock_folder(locks)
    yield folders.tmpfiles(locks)
    yield folders.state_folder()
    yield folders.socket_folder()
    yield leftovers(locks)
    yield limits.open_files(config)
    if facts is not None:
        yield limits.processes(facts, config)
        yield machine.processes(facts)
    yield machine.clock()
    yield stack.services(read)
    if config is not None:
        yield stack.outgoing(config, facts.reserved_ports if facts else ())
        if facts is not None:
            yield stack.privileged(config, facts)


def _config(file: Path | None) -> Config | ConfigError | None:
    """None if no file was named and there is none here."""
    from supervisor.config import load

    try:
        path = stack_file.find_config(file)
    except ConfigError as error:
        return None if file is None else error
    try:
        return load.load(path)
    except ConfigError as error:
        return error
