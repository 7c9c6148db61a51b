"""`portsup up`: start an instance, in the foreground or as a daemon, or several at once."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

from supervisor.cli import foreground, stack_file
from supervisor.cli.options import (
    complete_written_services,
    count_option,
    examples,
    file_option,
    instance_option,
    named_on_command_line,
    ready_timeout_option,
)
from supervisor.cli.order import Order
from supervisor.cli.output import has_colour
from supervisor.errors import UsageError


@click.command(
    epilog=examples(
        "portsup up                    the next instance of this worktree, in the foreground",
        "portsup up --instance 2 -d    instance 2, in the background",
        "portsup up -i 1 --count 3     instances 1, 2 and 3 together",
        "portsup up -i 1 --wait        in the background; returns when every service is ready",
    )
)
@click.pass_context
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=complete_written_services)
@instance_option(auto=True)
@file_option
@count_option("Start K instances that live and end together.")
@click.option(
    "-d",
    "--detach",
    is_flag=True,
    envvar="PORTSUP_DETACH",
    show_envvar=True,
    help="Run in the background; return when claims, spawns and the control socket stand.",
)
@click.option(
    "--wait",
    is_flag=True,
    envvar="PORTSUP_WAIT",
    show_envvar=True,
    help="Like --detach, but return when every service is ready; exit 1 if one fails.",
)
@ready_timeout_option("How long --wait waits; default: as long as the services' own ready timeouts take.")
def up(
    ctx: click.Context,
    services: tuple[str, ...],
    instance: Any,
    file: Path | None,
    count: int,
    detach: bool,
    wait: bool,
    timeout: float | None,
) -> None:
    """Start an instance of the stack: claim a port for each service, start the services, watch them.

    Without SERVICE, all services; else these and what they depend on. Ports are claimed for the whole
    stack, also for services that are started later. Without -i, this worktree's last number while it is
    free, else the lowest free one. In the foreground, Ctrl-C stops the instance and a second one kills it.
    """
    if not wait and named_on_command_line(ctx, "timeout"):
        raise UsageError("--timeout is for --wait")
    orders = [_order(services, number, file) for number in _numbers(instance, count)]
    if len(orders) == 1 and not (detach or wait):
        foreground.supervise(orders[0])
    foreground.dismiss()
    if detach or wait:
        from supervisor.cli.background import bring_up_in_background

        bring_up_in_background(orders, wait=wait, timeout=timeout)
        return
    from supervisor.cli.together import together

    sys.exit(together([partial(foreground.supervise, order._replace(labelled=True)) for order in orders]))


def _numbers(instance: Any, count: int) -> list[Any]:
    if count == 1:
        return [instance]
    return [instance + i for i in range(count)] if isinstance(instance, int) else ["auto"] * count


def _order(services: tuple[str, ...], instance: Any, file: Path | None) -> Order:
    return Order(
        config=stack_file.find_config(file),
        instance=instance,
        services=services,
        console=True,
        labelled=False,
        colour=(has_colour(sys.stdout), has_colour(sys.stderr)),
    )
