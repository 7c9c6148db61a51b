"""Who has a port: the lock, its unit, who really listens. Looks, and signals nobody."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from supervisor.errors import MORE_DESCRIPTORS, NO_DESCRIPTORS, PortsupError
from supervisor.marker import marker_of
from supervisor.platform import os_facts
from supervisor.platform.contract import Listener, Owner
from supervisor.ports import commandline
from supervisor.ports.liveness import Liveness, is_being_taken, left_alive, liveness
from supervisor.ports.lock import OPEN_FLAGS, is_locked, unreadable_folder
from supervisor.ports.report import Holding, PortReport, PortUser
from supervisor.records import MAX_BYTES, PortRecord, decode, port_file


class _LockFile(NamedTuple):
    """What the lock file tells, whoever listens."""

    holding: Holding
    record: PortRecord | None = None
    survivors: tuple[Owner, ...] = ()
    uid: int | None = None
    locked: bool = False


def inspect(folder: Path, port: int) -> PortReport:
    """Look, without taking the lock for longer than the look.

    Raises LockFolderError if the folder can't be looked into, PortsupError without a descriptor to be had.
    """
    path = port_file(folder, port)
    found = _lock_file(path)
    users = users_of(os_facts.listeners((port,)))
    holding = found.holding
    if users and holding in (Holding.FREE, Holding.STALE):
        holding = Holding.FOREIGN
    told = tuple(
        user._replace(of_holder=_of_holder(user, holding, found), unit=_unit(user)) for user in users
    )
    return PortReport(port, holding, found.record, told, found.survivors, path, found.uid, found.locked)


def _lock_file(path: Path) -> _LockFile:
    try:
        fd = os.open(path, os.O_RDONLY | OPEN_FLAGS)
    except FileNotFoundError:
        return _LockFile(Holding.FREE)
    except OSError as error:
        if error.errno in NO_DESCRIPTORS:
            raise PortsupError(f"cannot look into {path}: {error.strerror}", hint=MORE_DESCRIPTORS) from error
        unreadable = isinstance(error, PermissionError)
        return _LockFile(Holding.HELD if unreadable else Holding.UNUSABLE, uid=_uid_of(path))
    try:
        return _open_lock_file(path, fd)
    finally:
        os.close(fd)


def _uid_of(path: Path) -> int | None:
    """Raises LockFolderError where not even that can be seen."""
    try:
        return os.lstat(path).st_uid
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable_folder(path.parent, error) from error


def _open_lock_file(path: Path, fd: int) -> _LockFile:
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        return _LockFile(Holding.UNUSABLE, uid=status.st_uid)
    found = decode(os.pread(fd, MAX_BYTES, 0))
    record = found if isinstance(found, PortRecord) else None
    identity = (status.st_dev, status.st_ino)
    locked = is_locked(fd)
    holding, told = _stand_behind(record, locked, identity, path.parent)
    if holding is Holding.FREE and os.geteuid() not in (0, status.st_uid):
        holding = Holding.STALE  # only its user or root can remove it, so that nobody else can claim
    # Whoever writes a file owns it: nobody speaks for another user.
    believed = record if record and record.uid == status.st_uid else None
    if record and not believed and holding is Holding.CLAIMING:
        holding = Holding.HELD
    return _LockFile(holding, believed, told, status.st_uid, locked)


def _stand_behind(
    record: PortRecord | None, locked: bool, identity: tuple[int, int], folder: Path
) -> tuple[Holding, tuple[Owner, ...]]:
    """Who stands behind a lock file, and the survivors if its supervisor is dead."""
    if record is None:
        return Holding.CLAIMING if locked else Holding.FREE, ()
    if liveness(record) in (Liveness.ALIVE, Liveness.ELSEWHERE):
        return Holding.HELD, ()
    told = left_alive(record, folder, identity if locked else None)
    if told:
        return Holding.LEFTOVER, told
    if not locked:
        return Holding.STALE, ()
    return (Holding.CLAIMING if is_being_taken(identity) else Holding.LEFTOVER), ()


def _of_holder(user: PortUser, holding: Holding, file: _LockFile) -> bool | None:
    if user.owner is None:
        return None
    if holding is Holding.LEFTOVER:
        return user.owner in file.survivors
    if holding is Holding.HELD and file.record and liveness(file.record) is Liveness.ALIVE:
        return _is_below(user.owner, file.record.supervisor)
    return None


def _is_below(owner: Owner, supervisor: Owner) -> bool:
    """Whether it is the supervisor or descends from it, who adopts whatever of its tree is orphaned."""
    seen: set[int] = set()
    pid = owner.pid
    while pid not in seen and (found := os_facts.process(pid)):
        if found.owner == supervisor:
            return True
        seen.add(pid)
        pid = found.ppid
    return False


def _unit(user: PortUser) -> str | None:
    return marker_of(user.owner.pid) if user.owner else None


def users_of(listeners: Sequence[Listener]) -> tuple[PortUser, ...]:
    """The processes behind `listeners`. Reads every process's descriptors: ask only when it matters."""
    owners = _owners({listener.inode for listener in listeners})
    users = (_user(listener, owners.get(listener.inode)) for listener in listeners)
    return tuple(dict.fromkeys(users))


def _user(listener: Listener, owner: Owner | None) -> PortUser:
    command = commandline.shown(owner.pid) if owner else ""
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
