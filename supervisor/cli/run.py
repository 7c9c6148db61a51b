"""`portsup run`: an instance for one command, and not for a moment longer."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

from supervisor.cli import foreground, stack_file
from supervisor.cli.options import (
    AUTO,
    count_option,
    examples,
    file_option,
    instance_option,
    named_on_command_line,
    ready_timeout_option,
)
from supervisor.cli.order import Errand, Order
from supervisor.cli.output import has_colour
from supervisor.config import variables
from supervisor.errors import PortsupError, UsageError
from supervisor.process.foreground import NOT_FOUND

COMMAND = "portsup.command"
"""In click's context: what stands behind `--`."""


class BeforeDashes(click.Command):
    """A command whose own arguments end with `--`: behind that is another's command line."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        dashes = args.index("--") if "--" in args else len(args)
        ctx.meta[COMMAND] = tuple(args[dashes + 1 :])
        return super().parse_args(ctx, args[:dashes])


@click.command(
    cls=BeforeDashes,
    options_metavar="[OPTIONS]",
    epilog=examples(
        "portsup run -- pytest tests/e2e",
        "portsup run --count 3 -- npm test      against three instances at the same time",
        "portsup run api-server -- sh -c 'curl $PORTSUP_API_SERVER_URL'",
    ),
)
@click.pass_context
@click.argument("services", nargs=-1, metavar="[SERVICE]... -- COMMAND [ARGUMENT]...")
@instance_option(auto=True)
@file_option
@count_option("Run it against K instances at the same time; the exit code is the worst.")
@ready_timeout_option(
    "How long the services may take to be ready; default: as long as their own ready timeouts."
)
@click.option(
    "-v",
    "--verbose",
    is_flag=True,
    envvar="PORTSUP_VERBOSE",
    show_envvar=True,
    help="Show what the services print, too, on stderr.",
)
def run(
    ctx: click.Context,
    services: tuple[str, ...],
    instance: Any,
    file: Path | None,
    count: int,
    timeout: float | None,
    verbose: bool,
) -> None:
    """Run a command with an instance that is there for it alone.

    The instance is started, with the lowest free number that isn't this worktree's own, the command is run
    when all services are ready, and then the instance is stopped. The command has the variables that
    `portsup env` prints. Its exit code is ours, 128+n after signal n; if the instance can't be started it
    isn't run, and the exit code is that of `portsup up --wait`.

    Ctrl-C and SIGTERM go to the command, and when that has ended the instance is stopped; a second one kills
    both at once. A service that fails meanwhile is told on stderr, and whether that matters is the command's
    to say. Whatever the command leaves running ends with it.
    """
    errand = Errand(_command(ctx), timeout, verbose)
    if not instance or _is_of_an_instance(ctx):
        instance = AUTO
    orders = [
        Order(
            config=stack_file.find_config(file),
            instance=number,
            services=services,
            console=True,
            labelled=False,
            colour=(False, count == 1 and has_colour(sys.stderr)),
            errand=errand,
        )
        for number in ([instance] if instance == AUTO else range(instance, instance + count))
    ]
    if count == 1:
        foreground.supervise(orders[0])
    foreground.dismiss()
    from supervisor.cli.side_by_side import side_by_side

    orders *= count if instance == AUTO else 1
    sys.exit(side_by_side([partial(_reporting, order, errand) for order in orders]))


def _is_of_an_instance(ctx: click.Context) -> bool:
    """Whether PORTSUP_INSTANCE came with the variables of one that is up, as `portsup env` gives them to a
    shell: it names that one, and is no wish for another."""
    return not named_on_command_line(ctx, "instance") and variables.INSTANCE_ID in os.environ


def _reporting(order: Order, errand: Errand, report_fd: int) -> None:
    foreground.supervise(order._replace(errand=errand._replace(report_fd=report_fd)))


def _command(ctx: click.Context) -> tuple[str, ...]:
    """Raises UsageError if there is none, or PortsupError if it can't be found: before anything starts."""
    command: tuple[str, ...] = ctx.meta[COMMAND]
    if not command:
        raise UsageError("no command to run", hint="it stands behind two dashes: portsup run -- COMMAND")
    import shutil

    if shutil.which(command[0], mode=os.F_OK) is None:
        raise PortsupError(f"cannot run {command[0]}: no such command", exit_code=NOT_FOUND)
    return command
