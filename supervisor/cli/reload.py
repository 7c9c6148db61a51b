"""`portsup reload`: what has changed in services.toml, brought about in a running instance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from supervisor.cli import stack_file, target
from supervisor.cli.options import examples, file_option, instance_option, json_option
from supervisor.cli.output import emit, emit_json, note, printable
from supervisor.control.client import Client, reach, read_services
from supervisor.errors import ExitCode
from supervisor.records import InstanceRecord
from supervisor.shown import outcome
from supervisor.snapshot import SCHEMA, ServiceSnapshot

SIGNS = {"start": "+", "stop": "-"}
"""Before a service that is new, or no more; ~ before the others."""


@click.command(
    epilog=examples(
        "portsup reload              show what differs, and apply it",
        "portsup reload --dry-run    only show it",
    )
)
@instance_option()
@click.option(
    "--dry-run",
    is_flag=True,
    envvar="PORTSUP_DRY_RUN",
    show_envvar=True,
    help="Only show what would be done.",
)
@file_option
@json_option
@click.pass_context
def reload(ctx: click.Context, instance: int | None, dry_run: bool, file: Path | None, as_json: bool) -> None:
    """Apply what has changed in services.toml and its env files to a running instance.

    Shows what differs, changes only that, and waits until it is ready. Services that don't differ are left
    alone. If the file is wrong, or a port that is newly needed can't be had, nothing changes.
    """
    record = target.running(stack_file.find_config(file), instance)
    with reach(record) as connection:
        shown = connection.call("reload")
        for warning in shown["warnings"]:
            note(f"warning: {warning}")
        if not as_json:
            emit("".join(f"{printable(text)}\n" for text in describe(shown["services"], record.config)))
        after = [] if dry_run else _apply(record, connection, shown)
    if as_json:
        services = [service.to_json() for service in after]
        emit_json({"schema": SCHEMA, "differences": shown["services"], "services": services})
    else:
        emit("".join(f"{printable(outcome(service))}\n" for service in after))
    if not all(service.is_up or service.state == "STOPPED" for service in after):
        ctx.exit(ExitCode.SERVICE_FAILED)


def _apply(record: InstanceRecord, connection: Client, shown: Mapping[str, Any]) -> list[ServiceSnapshot]:
    if not shown["services"]:
        return []
    return read_services(record, connection.call("reload", apply=shown["fingerprint"]))


def describe(differences: Sequence[Mapping[str, Any]], config: str) -> list[str]:
    """A line for each service that differs."""
    if not differences:
        return [f"nothing differs from {config}"]
    return [_describe(one) for one in differences]


def _describe(one: Mapping[str, Any]) -> str:
    does, name = one["does"], one["service"]
    if does in SIGNS:
        return f"{SIGNS[does]} {name}: {does}"
    reasons = [_change(change) for change in one["changes"]]
    reasons += [f"its {_pool(pool)} can't be kept" for pool in one["moves"]]
    reasons += [f"{service} gets another port" for service in one["told"]]
    words = {"keep": "keeps running", "stay stopped": "stays stopped"}
    return f"~ {name}: {words.get(does, does)}: {', '.join(reasons)}"


def _change(change: Mapping[str, Any]) -> str:
    old, new = ("none" if change[side] is None else change[side] or '""' for side in ("old", "new"))
    return f"{change['key']} {old} → {new}" if old != new else f"{change['key']} (another value)"


def _pool(name: str) -> str:
    return "port" if name == "port" else f"{name} port"
