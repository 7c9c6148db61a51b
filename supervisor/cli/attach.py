"""`portsup attach`: the keyboard for a service that has a terminal."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import click

from supervisor.cli import stack_file, target
from supervisor.cli.detach_keys import DetachKeys, in_words
from supervisor.cli.options import complete_running_services, examples, file_option, instance_option
from supervisor.cli.output import note
from supervisor.control.client import Client, reach
from supervisor.errors import PortsupError
from supervisor.records import InstanceRecord
from supervisor.region import terminal_size

LINES = 20
"""Of what was printed before, for a person."""

LARGEST = 1000
"""Rows and columns; the supervisor takes no more."""


@click.command(epilog=examples("portsup attach console", "echo reload | portsup attach -i 2 console"))
@click.argument("service", metavar="SERVICE", shell_complete=complete_running_services)
@instance_option()
@click.option(
    "--detach-keys",
    type=DetachKeys(),
    default="ctrl-p,ctrl-q",
    show_default=True,
    metavar="KEYS",
    envvar="PORTSUP_DETACH_KEYS",
    show_envvar=True,
    help="What to press to leave it, one key after the other.",
)
@file_option
@click.pass_context
def attach(
    ctx: click.Context, service: str, instance: int | None, detach_keys: bytes, file: Path | None
) -> None:
    """Give the keyboard to a running service that has `tty = true`.

    It shows the last lines, then all that the service prints; every key goes there, Ctrl-C and Ctrl-Z too.
    The detach keys give the keyboard back, and the service runs on. When the service ends, attach says how
    and ends too, with exit code 0, even if the service is started again.

    Input that is no terminal is typed to its end; attach ends when nothing was printed for a second then.
    """
    from supervisor.cli.raw_terminal import EndedBySignal

    record = target.running(stack_file.find_config(file), instance)
    try:
        ended = _attach(record, service, detach_keys)
    except EndedBySignal as signalled:
        ctx.exit(128 + signalled.signum)
    note(ended or f"detached from {service}, which runs on")


def _attach(record: InstanceRecord, service: str, detach_keys: bytes) -> str | None:
    """How the service ended; None if it runs on."""
    from supervisor.cli.attachment import Attachment
    from supervisor.control.attached import Attached

    by_hand = os.isatty(0)
    with reach(record) as connection:
        result = connection.call("attach", service=service, lines=LINES if by_hand else 0, **_size())
        if by_hand:
            pid = result.get("pid") if isinstance(result, dict) else None
            note(f"attached to {service} (pid {pid}); {in_words(detach_keys)} gives the keyboard back")
        far = Attached(record, connection)
        return Attachment(far, detach_keys, lambda: _resize(record, service)).run()


def _size() -> dict[str, int]:
    """Of our terminal, if there is one to show a screen on."""
    size = terminal_size(1)
    return {"rows": min(size.lines, LARGEST), "columns": min(size.columns, LARGEST)} if size else {}


def _resize(record: InstanceRecord, service: str) -> None:
    """On a connection of its own: the other one carries keys. If it fails, so does that one soon."""
    if size := _size():
        with suppress(PortsupError), Client(record, timeout=1.0) as connection:
            connection.call("resize", service=service, **size)
