"""Who has a port: the lock, its unit, who really listens, in facts and in words. Signals nobody."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from supervisor.platform import os_facts
from supervisor.platform.contract import Listener, Owner
from supervisor.ports import wording
from supervisor.ports.liveness import Liveness, heirs, leaders, liveness, survivors
from supervisor.ports.lock import OPEN_FLAGS, is_locked
from supervisor.records import MAX_BYTES, Holder, PortRecord, decode, port_file

__all__ = ["Holding", "PortReport", "PortUser", "holder", "inspect", "survivors", "users_of"]


class Holding(StrEnum):
    FREE = "free"
    HELD = "held"
    """Locked; the supervisor lives, or is in another pid namespace."""
    CLAIMING = "claiming"
    """Locked, and no record yet."""
    LEFTOVER = "leftover"
    """The supervisor is dead, processes of its unit live."""
    STALE = "stale"
    """A record that nobody stands behind."""
    FOREIGN = "foreign"
    """Nobody holds the lock; somebody listens who was not started by portsup, or can't be told."""
    UNUSABLE = "unusable"
    """What lies at the lock file's path is no file."""


@dataclass(frozen=True, slots=True)
class PortUser:
    """Somebody who listens. `owner` is None where the process can't be seen."""

    address: str
    owner: Owner | None
    uid: int
    command: str

    def __str__(self) -> str:
        """ "pid 77 (node server.js) on 127.0.0.1", or "somebody of uid 0 on ::"."""
        who = f"pid {self.owner.pid} ({self.command})" if self.owner else f"somebody of uid {self.uid}"
        return f"{who} on {self.address}"


@dataclass(frozen=True, slots=True)
class PortReport:
    port: int
    holding: Holding
    record: PortRecord | None
    listeners: tuple[PortUser, ...]
    survivors: tuple[Owner, ...]
    file_uid: int | None = None
    """Whose the lock file is."""

    def line(self) -> str:
        """One line for an error: "9000  qwen instance 1 (api-server) in /path, pid 411, for 3 min"."""
        return f"{self.port}  {self._state()}"

    def _state(self) -> str:
        match self.holding:
            case Holding.FREE:
                return "free"
            case Holding.HELD:
                return holder(self.record) if self.record else f"locked by uid {self.file_uid}, unreadable"
            case Holding.CLAIMING:
                return "being claimed by another portsup at this moment"
            case Holding.LEFTOVER:
                return f"left over from {self._dead_holder()}: {self._who_survives()}"
            case Holding.STALE:
                return f"stale lock of {self._dead_holder()} (uid {self.file_uid}): nobody lives there"
            case Holding.FOREIGN:
                return f"not portsup's: {', '.join(map(str, self.listeners))}"
            case Holding.UNUSABLE:
                return "what lies at its lock file's path is no file"

    def _dead_holder(self) -> str:
        return unit(self.record) if self.record else "an unknown instance"

    def _who_survives(self) -> str:
        if not self.survivors:
            return "its supervisor is dead, but somebody who can't be seen still holds the lock"
        pids = ", ".join(str(owner.pid) for owner in self.survivors)
        return f"its supervisor is dead, pid {pids} of it lives"

    def hint(self) -> str:
        """What to do next."""
        match self.holding:
            case Holding.FREE:
                return "nothing to do"
            case Holding.HELD if self.record and os.geteuid() not in (0, self.record.uid):
                return f"ask uid {self.record.uid}"
            case Holding.HELD if self.record:
                folder = wording.printable(self.record.worktree)
                return f"run `portsup down -i {self.record.instance}` in {folder}"
            case Holding.HELD:
                return f"ask uid {self.file_uid}"
            case Holding.CLAIMING:
                return "try again"
            case Holding.LEFTOVER | Holding.STALE if self.file_uid not in (None, os.geteuid()):
                return f"uid {self.file_uid} or root must run `portsup prune`"
            case Holding.LEFTOVER | Holding.STALE:
                return "run `portsup prune`"
            case Holding.FOREIGN:
                return "end it yourself, for portsup won't, or give the pool more ports"
            case Holding.UNUSABLE:
                return "remove it"

    def to_json(self) -> dict[str, Any]:
        return {
            "port": self.port,
            "holding": self.holding.value,
            "record": asdict(self.record) if self.record else None,
            "listeners": [asdict(user) for user in self.listeners],
            "survivors": [asdict(owner) for owner in self.survivors],
            "file_uid": self.file_uid,
            "line": self.line(),
            "hint": self.hint(),
        }


def unit(record: Holder, service: str | None = None) -> str:
    """ "qwen-valencia instance 1 (api-server) in /path"; `service` if not the record's own."""
    if service is None and isinstance(record, PortRecord):
        service = record.service
    named = f" ({service})" if service else ""
    return wording.printable(f"{record.stack} instance {record.instance}{named} in {record.worktree}")


def holder(record: Holder) -> str:
    """The unit with its supervisor and for how long it has been holding."""
    unseen = "" if record.pidns == os_facts.pid_namespace() else " of another pid namespace"
    age = wording.age(time.time() - record.acquired_at)
    return f"{unit(record)}, pid {record.supervisor.pid}{unseen}, for {age}"


def inspect(folder: Path, port: int) -> PortReport:
    """Look, without taking the lock for longer than the look."""
    listeners = users_of(os_facts.listeners((port,)))
    path = port_file(folder, port)
    unlocked = Holding.FOREIGN if listeners else Holding.FREE
    try:
        fd = os.open(path, os.O_RDONLY | OPEN_FLAGS)
    except FileNotFoundError:
        return PortReport(port, unlocked, None, listeners, ())
    except PermissionError:
        return PortReport(port, Holding.HELD, None, listeners, (), _file_uid(path))
    except OSError:
        return PortReport(port, Holding.UNUSABLE, None, listeners, ())
    try:
        return _inspect_file(folder, port, fd, listeners)
    finally:
        os.close(fd)


def _file_uid(path: Path) -> int | None:
    try:
        return os.lstat(path).st_uid
    except OSError:
        return None


def _inspect_file(folder: Path, port: int, fd: int, listeners: tuple[PortUser, ...]) -> PortReport:
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        return PortReport(port, Holding.UNUSABLE, None, listeners, (), status.st_uid)
    found = decode(os.pread(fd, MAX_BYTES, 0))
    record = found if isinstance(found, PortRecord) else None
    told: tuple[Owner, ...] = ()
    if record is None:
        holding = Holding.CLAIMING if is_locked(fd) else Holding.FREE
    elif liveness(record) in (Liveness.ALIVE, Liveness.ELSEWHERE):
        holding = Holding.HELD
    else:
        locked = is_locked(fd)
        told = _left_alive(folder, record, {(status.st_dev, status.st_ino)} if locked else set())
        holding = Holding.LEFTOVER if locked or told else Holding.STALE
    if holding in (Holding.FREE, Holding.STALE) and listeners:
        holding = Holding.FOREIGN
    return PortReport(port, holding, record, listeners, told, status.st_uid)


def _left_alive(folder: Path, record: PortRecord, locked: set[tuple[int, int]]) -> tuple[Owner, ...]:
    """Who of a dead supervisor's unit lives, told by marker, session or the inherited descriptor."""
    if liveness(record) is Liveness.REBOOTED:
        return ()
    told = {*survivors(record.instance_id, leaders(record, folder))}
    told.update(heirs(dict.fromkeys(locked, record.supervisor)))
    return tuple(sorted(told, key=lambda owner: (owner.started, owner.pid)))


def users_of(listeners: Sequence[Listener]) -> tuple[PortUser, ...]:
    """The processes behind `listeners`. Reads every process's descriptors: ask only when it matters."""
    owners = _owners({listener.inode for listener in listeners})
    users = (_user(listener, owners.get(listener.inode)) for listener in listeners)
    return tuple(dict.fromkeys(users))


def _user(listener: Listener, owner: Owner | None) -> PortUser:
    command = wording.command(os_facts.command_line(owner.pid)) if owner else ""
    return PortUser(listener.address, owner, listener.uid, command)


def _owners(inodes: Collection[int]) -> dict[int, Owner]:
    """Socket inode → the oldest process that has it open: workers inherit it from their master."""
    found: dict[int, Owner] = {}
    if not inodes:
        return found
    for process in sorted(os_facts.processes(), key=lambda process: (process.started, process.pid)):
        for inode in os_facts.open_sockets(process.pid).intersection(inodes):
            found.setdefault(inode, process.owner)
    return found
