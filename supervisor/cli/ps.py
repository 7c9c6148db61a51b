"""`portsup ps`: every instance of every stack on the machine, other users' too."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import click

from supervisor import paths
from supervisor.cli.options import examples, json_option
from supervisor.cli.output import emit_json, note
from supervisor.control import registry
from supervisor.platform import os_facts
from supervisor.records import InstanceRecord
from supervisor.snapshot import InstanceSnapshot

SCHEMA = 1


class InstanceRow(NamedTuple):
    """One line of `portsup ps`."""

    stack: str
    instance: int
    state: str
    base_port: int
    worktree: str
    pid: int
    ready: int | None
    """None where the instance can't be asked, as another user's."""
    total: int | None
    age_s: float


@click.command(epilog=examples("portsup ps", "portsup ps --json"))
@json_option
def ps(as_json: bool) -> None:
    """List every instance of every stack on the machine.

    Another user's instance can't be asked: it is shown with what its lock file says, as "unreachable".
    """
    rows = _rows()
    if as_json:
        emit_json({"schema": SCHEMA, "instances": [_to_json(record, row) for record, row in rows]})
    elif rows:
        from supervisor.cli import table, views

        table.show(views.ps_view([row for _, row in rows]))
    else:
        note("no instance is up on this machine")


def _rows() -> list[tuple[InstanceRecord, InstanceRow]]:
    records = registry.instances(paths.lock_folder(), include_dead=True)
    snapshots = registry.snapshots_of(records)
    return [(record, _row(record, seen)) for record, seen in zip(records, snapshots, strict=True)]


def _row(record: InstanceRecord, seen: InstanceSnapshot) -> InstanceRow:
    return InstanceRow(
        stack=record.stack,
        instance=record.instance,
        state=seen.state,
        base_port=record.base_port,
        worktree=record.worktree,
        pid=record.supervisor.pid,
        ready=sum(service.is_up for service in seen.services) if seen.services else None,
        total=len(seen.services) or None,
        age_s=round(max(_age(record), 0.0), 1),
    )


def _age(record: InstanceRecord) -> float:
    """By the start of its supervisor, which no jump of the clock moves; only another boot's is gone."""
    if record.boot_id == os_facts.boot_id():
        return os_facts.age(record.supervisor)
    return time.time() - record.acquired_at


def _to_json(record: InstanceRecord, row: InstanceRow) -> dict[str, Any]:
    return {
        "stack": row.stack,
        "instance": row.instance,
        "instance_id": record.instance_id,
        "state": row.state,
        "base_port": row.base_port,
        "config": record.config,
        "worktree": row.worktree,
        "pid": row.pid,
        "uid": record.uid,
        "ready": row.ready,
        "total": row.total,
        "age_s": row.age_s,
    }
