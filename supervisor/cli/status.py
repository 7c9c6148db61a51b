"""`portsup status`: this worktree's instances and their services."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click

from supervisor import paths
from supervisor.cli import stack_file, target
from supervisor.cli.options import examples, file_option, gives_way, instance_option, json_option
from supervisor.cli.output import emit, emit_bytes, emit_json, has_colour, is_terminal, note
from supervisor.control import client, registry
from supervisor.errors import ExitCode
from supervisor.records import InstanceRecord
from supervisor.region import Line, Region, spans
from supervisor.snapshot import InstanceSnapshot, document

Owners = dict[str, int]
"""Instance id → uid, of the instances that this user may not ask."""

WATCH_SECONDS = 1.0

WITHOUT_ECHO = "\r\x1b[K"
"""Removes the ^C that the terminal has shown."""


@click.command(
    epilog=examples("portsup status", "portsup status --instance 2 --watch", "portsup status --all --json")
)
@instance_option()
@click.option(
    "--all", "all_", is_flag=True, envvar="PORTSUP_ALL", show_envvar=True, help="All of the machine's."
)
@click.option(
    "--watch", is_flag=True, envvar="PORTSUP_WATCH", show_envvar=True, help="Look again each second."
)
@file_option
@json_option
@click.pass_context
def status(
    ctx: click.Context, instance: int | None, all_: bool, watch: bool, file: Path | None, as_json: bool
) -> None:
    """Show this worktree's instances and their services.

    Where one is named and not up, the exit code is 1; where there is none at all, the table is empty.
    """
    if all_ and instance is not None:
        clash = "--all shows every instance, --instance one: use one of them"
        if gives_way(ctx, "all_", "instance", clash) == "all_":
            all_ = False
        else:
            instance = None
    if watch and as_json:
        clash = "--watch draws a table: leave out --json, or ask again for each look"
        watch = gives_way(ctx, "as_json", "watch", clash) == "as_json"
        as_json = not watch
    config = None if all_ else stack_file.find_config(file)
    if watch:
        _watch(config, instance)
    else:
        found = _show_once(config, instance, as_json)
        if instance is not None and all(seen.state == "dead" for seen in found):
            ctx.exit(ExitCode.SERVICE_FAILED)


def _look(config: Path | None, instance: int | None) -> tuple[list[InstanceSnapshot], Owners]:
    """Raises NotRunning if an instance was named that has no record."""
    records = _records(config, instance)
    others = {record.instance_id: record.uid for record in records if not client.may_ask(record)}
    return registry.snapshots_of(records), others


def _records(config: Path | None, instance: int | None) -> list[InstanceRecord]:
    if config is None:
        return registry.instances(paths.lock_folder(), include_dead=True)
    records = target.of_worktree(config)
    if instance is None:
        return records
    named = [record for record in records if record.instance == instance]
    if not named:
        raise target.not_up(config, instance)
    return named


def _show_once(config: Path | None, instance: int | None, as_json: bool) -> list[InstanceSnapshot]:
    instances, others = _look(config, instance)
    if as_json:
        emit_json(document(instances))
    elif instances:
        from supervisor.cli import table, views

        table.show(views.status_view(instances, others))
    else:
        note(_nothing(config))
    return instances


def _nothing(config: Path | None) -> str:
    if config is None:
        return "no instance is up on this machine"
    return f"no instance of {config.parent} is up; start one with `portsup up`"


def _watch(config: Path | None, instance: int | None) -> None:
    """Redraw until somebody interrupts. Where nothing can be redrawn each look is printed below the last."""
    if not is_terminal(sys.stdout) or os.environ.get("TERM") == "dumb":
        while True:
            _show_once(config, instance, as_json=False)
            time.sleep(WATCH_SECONDS)
    region = Region(sys.stdout.fileno())
    signal.signal(signal.SIGCONT, lambda *_: region.forget())  # after Ctrl-Z
    try:
        while True:
            emit_bytes(region.around(b"", partial(_picture, *_look(config, instance), _nothing(config))))
            time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        emit(WITHOUT_ECHO)
        raise


def _picture(
    instances: Sequence[InstanceSnapshot], others: Owners, nothing: str, size: os.terminal_size
) -> list[Line]:
    """The table, or as much of it as the terminal has rows for."""
    from supervisor.cli import table, views

    view = views.status_view(instances, others) if instances else table.View([], [nothing])
    drawn = table.render(view, width=size.columns - 1, colour=has_colour(sys.stdout)).splitlines()
    room = size.lines - 1  # for the cursor
    if len(drawn) > room:
        drawn[room - 1 :] = [f"… and {len(drawn) - room + 1} more lines"]
    return list(map(spans, drawn))
