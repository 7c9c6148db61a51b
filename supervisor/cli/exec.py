"""`portsup exec`: become a command that has a running instance's variables."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import click

from supervisor.cli import stack_file, target
from supervisor.cli.env import variables
from supervisor.cli.options import complete_running_services, examples, file_option, instance_option
from supervisor.process.foreground import cannot_run

IGNORED_BY_PYTHON = ("SIGPIPE", "SIGXFSZ")
"""Signals that the interpreter ignores, and that what it becomes would go on ignoring."""


@click.command(
    "exec",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog=examples("portsup exec -- pytest tests/e2e", "portsup exec -i 2 --service api-server -- env"),
)
@instance_option()
@click.option(
    "--service",
    metavar="NAME",
    shell_complete=complete_running_services,
    envvar="PORTSUP_SERVICE",
    show_envvar=True,
    help="With what portsup and services.toml set for this service.",
)
@file_option
@click.argument(
    "command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND [ARGUMENT...]"
)
def exec_(instance: int | None, service: str | None, file: Path | None, command: tuple[str, ...]) -> None:
    """Run a command with a running instance's variables.

    Its exit code is the command's; 127 if there is no such command, 126 if it can't be run.
    """
    record = target.running(stack_file.find_config(file), instance)
    become(command, {**os.environ, **variables(record, service)})


def become(command: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
    """Replace this process. Raises PortsupError if that fails."""
    for name in IGNORED_BY_PYTHON:
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    try:
        os.execvpe(command[0], list(command), environ)
    except (OSError, ValueError) as error:
        raise cannot_run(command[0], error) from error
