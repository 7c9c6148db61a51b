"""Ending and removing what dead supervisors left behind.

Whose supervisor lives, or can't be seen, is never touched, and nobody is signalled of whom it isn't
proven that portsup started it (see `leftovers.py`).
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from supervisor import records
from supervisor.platform import os_facts
from supervisor.platform.contract import Owner
from supervisor.ports import wording
from supervisor.ports.dead_sockets import live_sockets, sockets_of
from supervisor.ports.leftovers import (
    DeadFile,
    Kind,
    Leftover,
    dead_files,
    files,
    lock_files,
    processes,
)
from supervisor.ports.liveness import Census, leaders
from supervisor.ports.lock import remove_free
from supervisor.records import Record

TERM_SECONDS = 1.0
KILL_SECONDS = 1.0
ROUNDS = 3
"""How often to look for more processes: one that is being ended may fork once more."""

TRIES, TRY_EVERY = 5, 0.01
"""To get a free lock; seconds in between."""


class Failure(NamedTuple):
    """Why something that was to go is still there, and what to do next."""

    reason: str
    hint: str


class Pruned(NamedTuple):
    """What became of it. `gone` is False for whatever was kept, failed, or was a dry run."""

    leftover: Leftover
    gone: bool
    failure: Failure | None = None

    @property
    def unsolved(self) -> bool:
        """Whether it is this user's to clear, was to be cleared, and is still there."""
        return not self.gone and self.leftover.ours

    @property
    def reason(self) -> str | None:
        """Why it stays."""
        return self.failure.reason if self.failure else self.leftover.kept

    @property
    def hint(self) -> str | None:
        return self.failure.hint if self.failure else self.leftover.hint

    def line(self) -> str:
        """For people, below a heading that names the instance: "ended: pid 77 (node x.js), api: holds its
        lock", "not removed: /path/port-6000.lock.json: Permission denied; root must run `portsup prune`"."""
        found = self.leftover
        named = f"{found.name}, {found.service}" if found.service else found.name
        told = [found.why] if found.kind is not Kind.FILE else []
        stays = ["; ".join(filter(None, (self.reason, self.hint)))] if self.reason else []
        return ": ".join([self._verb(), named, *told, *stays])

    def _verb(self) -> str:
        verb = "ended" if self.leftover.kind is Kind.PROCESS else "removed"
        if self.gone:
            return verb
        if self.failure:
            return f"not {verb}"
        return "left alone" if self.leftover.kept else f"to be {verb}"

    def to_json(self) -> dict[str, Any]:
        failed = self.failure.reason if self.failure else None
        return {**self.leftover.to_json(), "hint": self.hint, "gone": self.gone, "failed": failed}


def find(folder: Path) -> list[Leftover]:
    """Processes first, then the sockets and files that stay as long as those live.

    Raises LockFolderError if the folder can't be looked into.
    """
    dead = list(dead_files(folder))
    told = list(processes(dead))
    live = live_sockets(folder)
    rest = (
        found
        for file, left in files(dead, told, staying=False)
        for found in (*_sockets(file, left, live), left)
    )
    return [*told, *rest]


def prune(folder: Path, *, dry_run: bool = False) -> list[Pruned]:
    """End and remove what `find` finds: SIGTERM, after a second SIGKILL, then the files.

    Raises LockFolderError as `find` does.
    """
    if dry_run:
        return [Pruned(leftover, gone=False) for leftover in find(folder)]
    ended = _end_processes(folder)
    # First the files, then who lives: whomever their supervisors started is seen.
    dead = list(dead_files(folder))
    staying = list(processes(dead))
    live = live_sockets(folder)
    return [
        *(_ended(leftover, owner) for owner, leftover in ended.items()),
        *(Pruned(leftover, gone=False) for leftover in staying if leftover.owner not in ended),
        *(
            done
            for file, left in files(dead, staying, staying=True)
            for done in _remove(file, left, list(_sockets(file, left, live)))
        ),
    ]


def _sockets(file: DeadFile, leftover: Leftover, live: Collection[str]) -> Iterator[Leftover]:
    """They go with their instance's file, or stay with it."""
    for found in sockets_of(file, live):
        yield found._replace(kept=leftover.kept, hint=leftover.hint)


def remove_dead(path: Path) -> None:
    """One dead supervisor's lock file with its sockets, as `prune` does: not while anybody of it lives."""
    dead = list(dead_files(path.parent))
    live = live_sockets(path.parent)
    for file, left in files(dead, list(processes(dead)), staying=True):
        if file.path == path:
            for _ in _remove(file, left, list(_sockets(file, left, live))):
                pass


def unlink_dead(folder: Path, supervisor: Owner) -> None:
    """What a guard does last: remove the lock files of the supervisor that it guarded, and empty ones.

    A file that somebody holds, or whose instance has survivors, stays: it is their claim.
    """
    census = Census()
    for path in lock_files(folder):
        record = records.read(path)
        if record is None or record.supervisor == supervisor:
            try:
                remove_free(
                    path, lambda found: found is None or _nobody_left(found, supervisor, folder, census)
                )
            except OSError:
                pass  # another user's, or gone with its folder


def _nobody_left(record: Record, supervisor: Owner, folder: Path, census: Census) -> bool:
    return (
        record.supervisor == supervisor
        and record.pidns == os_facts.pid_namespace()
        and not census.survivors(record.instance_id, leaders(record, folder))
    )


def _end_processes(folder: Path) -> dict[Owner, Leftover]:
    """Those that were to be ended, whether they are gone now or not."""
    ended: dict[Owner, Leftover] = {}
    for _ in range(ROUNDS):
        found = {
            leftover.owner: leftover
            for leftover in processes(list(dead_files(folder)))
            if leftover.owner and not leftover.kept and leftover.owner not in ended
        }
        if not found:
            break
        ended.update(found)
        left = _signal_and_wait(list(found), signal.SIGTERM, TERM_SECONDS)
        _signal_and_wait(left, signal.SIGKILL, KILL_SECONDS)
    return ended


def _signal_and_wait(owners: Sequence[Owner], signum: int, seconds: float) -> list[Owner]:
    """Signal each, and wait until all are gone or `seconds` have passed. Returns those who live.

    `send_signal` compares the start time once it has a hold of the process: whoever has a dead one's
    pid by now is not signalled, and at worst waited for.
    """
    poll = select.poll()
    opened: list[int] = []
    signalled = 0
    try:
        for owner in owners:
            try:
                fd = os_facts.open_exit_fd(owner.pid)
            except OSError:
                continue
            opened.append(fd)
            if os_facts.send_signal(owner, signum):
                poll.register(fd, select.POLLIN)
                signalled += 1
        _wait(poll, signalled, seconds)
    finally:
        for fd in opened:
            os.close(fd)
    return [owner for owner in owners if os_facts.is_alive(owner)]


def _wait(poll: select.poll, count: int, seconds: float) -> None:
    """Until `count` descriptors were readable."""
    deadline = time.monotonic() + seconds
    while count and (left := deadline - time.monotonic()) > 0:
        for fd, _ in poll.poll(left * 1000):
            poll.unregister(fd)
            count -= 1


def _ended(leftover: Leftover, owner: Owner) -> Pruned:
    if not os_facts.is_alive(owner):
        return Pruned(leftover, gone=True)
    if not os_facts.send_signal(owner, 0):
        return Pruned(leftover, False, Failure("this user may not signal it", f"root must {wording.PRUNE}"))
    found = os_facts.process(owner.pid)
    state = f"in state {found.state}" if found else "unseen"
    return Pruned(
        leftover, False, Failure(f"it lives on after SIGKILL, {state}", f"{wording.PRUNE} again later")
    )


def _remove(file: DeadFile, leftover: Leftover, sockets: Sequence[Leftover]) -> Iterator[Pruned]:
    """The sockets and then the file, while its lock is held: no new supervisor comes between."""
    if leftover.kept:
        yield from (Pruned(found, gone=False) for found in (*sockets, leftover))
        return
    done: list[Pruned] = []

    def let_go(record: Record | None) -> bool:
        if record != file.record:
            return False
        done.extend(_unlink(socket) for socket in sockets)
        return True

    failure = None
    try:
        if not any(remove_free(file.path, let_go) for _ in _tries()):
            failure = Failure("somebody has just taken it", f"{wording.PRUNE} again later")
    except OSError as error:
        failure = _not_removed(error, file.path)
    yield from done
    yield Pruned(leftover, failure is None, failure)


def _tries() -> Iterator[int]:
    """Whoever merely looks at a file has its lock for a moment, too."""
    for number in range(TRIES):
        time.sleep(TRY_EVERY if number else 0)
        yield number


def _unlink(leftover: Leftover) -> Pruned:
    assert leftover.path is not None, "it is a socket"
    try:
        leftover.path.unlink(missing_ok=True)
    except OSError as error:
        return Pruned(leftover, False, _not_removed(error, leftover.path))
    return Pruned(leftover, gone=True)


def _not_removed(error: OSError, path: Path) -> Failure:
    reason = error.strerror or str(error)
    return Failure(reason, f"make {path.parent} writable, then {wording.PRUNE} again")
