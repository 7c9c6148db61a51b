"""Which of the running instances of a services.toml a command means.

An instance is found by its record in the lock folder.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from supervisor import paths
from supervisor.cli import stack_file
from supervisor.control import client, registry
from supervisor.errors import NotRunning, UsageError
from supervisor.records import Holder, InstanceRecord


def of_worktree(config: Path) -> list[InstanceRecord]:
    """The records of all instances of this services.toml, dead supervisors' too, by number."""
    return registry.instances(paths.lock_folder(), config=config, include_dead=True)


def running(config: Path, instance: int | None, *, offer_up: bool = True) -> InstanceRecord:
    """The running instance with that number, or the only one that this services.toml has.

    Raises NotRunning if there is none (`offer_up`: with a hint how to start it), or UsageError if none
    was named and several run.
    """
    known = [record for record in of_worktree(config) if instance in (None, record.instance)]
    live = [record for record in known if not client.is_dead(record)]
    if len(live) == 1:
        return live[0]
    if live:
        raise _ambiguous(config, live)
    missing = _not_running(config, instance, known)
    if not known and not offer_up:
        missing.hint = stack_file.ELSEWHERE
    raise missing


def _ambiguous(config: Path, live: Sequence[InstanceRecord]) -> UsageError:
    return UsageError(
        f"{len(live)} instances of {config.parent} are up; which one?",
        details=[describe(record) for record in live],
        hint=f"name one, for example with `-i {live[0].instance}`",
    )


def _not_running(config: Path, instance: int | None, dead: Sequence[InstanceRecord]) -> NotRunning:
    if dead:
        return dead_supervisor(dead[0])
    if instance is not None:
        return not_up(config, instance)
    return NotRunning(f"no instance of {config.parent} is up", hint="start one with `portsup up`")


def not_up(config: Path, instance: int) -> NotRunning:
    """What to say of an instance that has no record, with those that have one."""
    return NotRunning(
        f"instance {instance} of {config.parent} is not up",
        details=[describe(record) for record in of_worktree(config)],
        hint=f"start it with `portsup up -i {instance}`",
    )


def dead_supervisor(record: InstanceRecord) -> NotRunning:
    """What to say of an instance whose record is there and whose supervisor is not."""
    return NotRunning(
        f"{title(record)} is not up: its supervisor (pid {record.supervisor.pid}) is dead",
        hint="`portsup prune` clears what it left behind",
    )


def title(record: Holder) -> str:
    return f"{record.stack} instance {record.instance}"


def describe(record: InstanceRecord) -> str:
    """One line for a list of instances: number, state, pid, since when."""
    state = client.snapshot(record).state
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.acquired_at))
    return f"instance {record.instance}: {state}, pid {record.supervisor.pid}, since {since}"
