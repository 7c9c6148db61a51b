"""Ending and removing what dead supervisors left behind.

Whose supervisor lives, or can't be seen, is never touched, and nobody is signalled of whom it isn't
proven that portsup started it (see `leftovers.py`).
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from supervisor import records
from supervisor.platform import os_facts
from supervisor.platform.contract import Owner
from supervisor.ports.leftovers import (
    DeadFile,
    Kind,
    Leftover,
    dead_file,
    dead_files,
    find,
    lock_files,
    sockets_of,
    told_file,
)
from supervisor.ports.liveness import Liveness, leaders, liveness, survivors
from supervisor.ports.lock import remove_free
from supervisor.records import Record

__all__ = ["Kind", "Leftover", "Pruned", "find", "prune", "remove_dead", "unlink_dead"]

TERM_SECONDS = 1.0
KILL_SECONDS = 1.0
ROUNDS = 3
"""How often to look for more processes: one that is being ended may fork once more."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What became of it. `gone` is False for whatever was kept, failed, or was a dry run."""

    leftover: Leftover
    gone: bool

    def line(self) -> str:
        """For people: "ended pid 77 (python3 x.py) of qwen instance 1 (api) in /path: carries its marker"."""
        process = self.leftover.kind is Kind.PROCESS
        if self.leftover.kept:
            verb = f"left alone ({self.leftover.kept})"
        elif self.gone:
            verb = "ended" if process else "removed"
        else:
            verb = "to be ended" if process else "to be removed"
        return f"{verb}: {self.leftover.name} of {self.leftover.unit}: {self.leftover.why}"

    def to_json(self) -> dict[str, Any]:
        return {**self.leftover.to_json(), "gone": self.gone}


def prune(folder: Path, *, dry_run: bool = False) -> list[Pruned]:
    """End and remove what `find` finds: SIGTERM, after a second SIGKILL, then the files."""
    if dry_run:
        return [Pruned(leftover, gone=False) for leftover in find(folder)]
    ended = _end_processes(folder)
    kept = [found for found in find(folder) if found.owner and found.owner not in ended]
    removed = [pruned for file in list(dead_files(folder)) for pruned in _remove(file, folder)]
    return [
        *(Pruned(leftover, gone=not os_facts.is_alive(owner)) for owner, leftover in ended.items()),
        *(Pruned(leftover, gone=False) for leftover in kept),
        *removed,
    ]


def remove_dead(path: Path) -> None:
    """One dead supervisor's lock file with its sockets, as `prune` does: not while anybody of it lives."""
    if file := dead_file(path):
        _remove(file, path.parent)


def unlink_dead(folder: Path, supervisor: Owner) -> None:
    """What a guard does last: remove the lock files of the supervisor that it guarded, and empty ones.

    A file that somebody holds, or whose instance has survivors, stays: it is their claim.
    """
    for path in lock_files(folder):
        record = records.read(path)
        if record is None or record.supervisor == supervisor:
            try:
                remove_free(path, lambda found: found is None or _nobody_left(found, supervisor, folder))
            except OSError:
                pass  # another user's, or gone with its folder


def _nobody_left(record: Record, supervisor: Owner, folder: Path) -> bool:
    return (
        record.supervisor == supervisor
        and record.pidns == os_facts.pid_namespace()
        and not survivors(record.instance_id, leaders(record, folder))
    )


def _end_processes(folder: Path) -> dict[Owner, Leftover]:
    ended: dict[Owner, Leftover] = {}
    for _ in range(ROUNDS):
        found = {
            leftover.owner: leftover
            for leftover in find(folder)
            if leftover.owner and not leftover.kept and leftover.owner not in ended
        }
        if not found:
            break
        ended.update(found)
        left = _signal_and_wait(list(found), signal.SIGTERM, TERM_SECONDS)
        _signal_and_wait(left, signal.SIGKILL, KILL_SECONDS)
    return ended


def _signal_and_wait(owners: Sequence[Owner], signum: int, seconds: float) -> list[Owner]:
    """Signal each, and wait until all are gone or `seconds` have passed. Returns those who live."""
    poll = select.poll()
    waiting: dict[int, Owner] = {}
    try:
        for owner in owners:
            try:
                fd = os_facts.open_exit_fd(owner.pid)
            except OSError:
                continue
            waiting[fd] = owner
            poll.register(fd, select.POLLIN)
            os_facts.send_signal(owner, signum)
        _wait(poll, set(waiting), seconds)
    finally:
        for fd in waiting:
            os.close(fd)
    return [owner for owner in owners if os_facts.is_alive(owner)]


def _wait(poll: select.poll, waiting: set[int], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while waiting and (left := deadline - time.monotonic()) > 0:
        for fd, _ in poll.poll(left * 1000):
            poll.unregister(fd)
            waiting.discard(fd)


def _remove(file: DeadFile, folder: Path) -> list[Pruned]:
    """The control sockets and then the file, while its lock is held: no new supervisor comes between."""
    sockets = list(sockets_of(file, folder))

    def let_go(record: Record | None) -> bool:
        if record is not None and not _is_stale(record, folder):
            return False
        for leftover in sockets:
            _unlink(leftover.path)
        return True

    leftover = told_file(file)
    try:
        gone = not leftover.kept and remove_free(file.path, let_go)
    except OSError as error:
        gone, leftover = False, replace(leftover, kept=error.strerror)
    if not gone and not leftover.kept:
        leftover = replace(leftover, kept="processes of its instance live, or somebody holds it")
    return [*(Pruned(found, gone=gone) for found in sockets), Pruned(leftover, gone=gone)]


def _is_stale(record: Record, folder: Path) -> bool:
    state = liveness(record)
    if state is Liveness.DEAD:
        return not survivors(record.instance_id, leaders(record, folder))
    return state is Liveness.REBOOTED


def _unlink(path: Path | None) -> None:
    if path is not None:
        path.unlink(missing_ok=True)
