"""`portsup start`, `stop` and `restart`: single services of a running instance."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from supervisor import shown
from supervisor.cli import stack_file, target
from supervisor.cli.options import (
    examples,
    file_option,
    instance_option,
    json_option,
    services_argument,
    timeout_option,
)
from supervisor.cli.output import emit, emit_json, note, printable
from supervisor.control.client import REACHED, reach, read_services
from supervisor.errors import ExitCode, NotRunning, PortsupError
from supervisor.records import InstanceRecord
from supervisor.snapshot import SCHEMA, ServiceSnapshot


def _command(name: str, text: str) -> click.Command:
    """The exit code is 1 if a service isn't where the command was to bring it."""

    @services_argument
    @instance_option()
    @timeout_option(None, "; default: as long as the services' own timeouts take")
    @file_option
    @json_option
    @click.pass_context
    def call(
        ctx: click.Context,
        services: tuple[str, ...],
        instance: int | None,
        timeout: float | None,
        file: Path | None,
        as_json: bool,
    ) -> None:
        record = target.running(stack_file.find_config(file), instance)
        answer = _call(record, name, list(dict.fromkeys(services)), timeout)
        after = read_services(record, answer)
        _report(after, as_json)
        if not all(map(REACHED[name], after)):
            if not as_json:
                _tell_failures(record, after)
            ctx.exit(ExitCode.SERVICE_FAILED)

    example = examples(f"portsup {name} api-server", f"portsup {name} -i 2 api-server sandra-ia")
    decorate: Callable[[Callable[..., Any]], click.Command] = click.command(name, help=text, epilog=example)
    return decorate(call)


def _call(record: InstanceRecord, name: str, services: list[str], timeout: float | None) -> Any:
    """Raises NotRunning, or PortsupError if it takes longer than `timeout` seconds."""
    with reach(record) as connection:
        began = time.monotonic()
        try:
            return connection.call(name, services=services, timeout=timeout)
        except NotRunning as failure:
            if timeout is None or time.monotonic() - began < timeout:
                raise
            raise PortsupError(
                f"{name} of {', '.join(services)} takes longer than {timeout:g} s, and goes on",
                hint=f"`portsup status -i {record.instance}` shows how far it is",
            ) from failure


def _report(after: Sequence[ServiceSnapshot], as_json: bool) -> None:
    """Print the states that the services have now."""
    if as_json:
        emit_json({"schema": SCHEMA, "services": [service.to_json() for service in after]})
    else:
        emit("".join(f"{printable(shown.outcome(service))}\n" for service in after))


def _tell_failures(record: InstanceRecord, after: Sequence[ServiceSnapshot]) -> None:
    """On stderr: what each that is over had to say."""
    from supervisor.cli.failure import post_mortem

    for service in after:
        if service.failed:
            for text in post_mortem(record, service, stays=True):
                note(f"{service.name} | {text}")


start = _command("start", "Start services of a running instance, and wait until they are ready.")
stop = _command("stop", "Stop services of a running instance, and give their ports back.")
restart = _command("restart", "Restart services of a running instance on the ports that they have.")
