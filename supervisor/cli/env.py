"""`portsup env`: the variables of a running instance, or of one of its services."""

from __future__ import annotations

import os
from pathlib import Path

import click

from supervisor.cli import stack_file, target
from supervisor.cli.options import (
    complete_running_services,
    examples,
    file_option,
    instance_option,
    json_option,
)
from supervisor.cli.output import emit_bytes
from supervisor.cli.variables import FORMATS
from supervisor.control.client import reach, read_variables
from supervisor.errors import PortsupError
from supervisor.marker import UNIT
from supervisor.records import InstanceRecord


@click.command(
    epilog=examples("portsup env", "portsup env api-server --json", 'eval "$(portsup env --format shell)"')
)
@click.argument("service", required=False, shell_complete=complete_running_services)
@instance_option()
@click.option(
    "--format",
    "format_",
    type=click.Choice(list(FORMATS)),
    default="dotenv",
    show_default=True,
    envvar="PORTSUP_FORMAT",
    show_envvar=True,
    help="For an env file, a program or a POSIX shell.",
)
@file_option
@json_option
def env(service: str | None, instance: int | None, format_: str, file: Path | None, as_json: bool) -> None:
    """Print the variables that a running instance gives to its services.

    With SERVICE: all that portsup and services.toml set for this service, its own port too. What it has
    from the shell that started the instance is left out.
    """
    record = target.running(stack_file.find_config(file), instance)
    text = FORMATS["json" if as_json else format_](variables(record, service))
    emit_bytes(os.fsencode(text))


def variables(record: InstanceRecord, service: str | None) -> dict[str, str]:
    """Asked of the instance. Raises NotRunning, or PortsupError if there is no such service, or if the
    instance is another user's: a command that has its PATH runs what that user wants."""
    if record.uid != os.geteuid():
        raise PortsupError(
            f"cannot take the variables of {target.title(record)}: it belongs to uid {record.uid}",
            hint=f"run this as that user, as with: sudo -u '#{record.uid}' portsup …",
        )
    with reach(record) as connection:
        answer = read_variables(record, connection.call("env", service=service))
    return {name: value for name, value in answer.items() if name != UNIT}
