"""What dead supervisors left behind: processes, lock files, control sockets. Looks, touches nothing.

A process is told by its marker, by its session, or by the lock that it inherited. That proves that
portsup started it, with two exceptions: a session whose first process is gone may be another's by
now, and a record says nothing about processes of other users than the one whose file it is in,
since anybody may write into the lock folder.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from supervisor import records
from supervisor.platform import os_facts
from supervisor.platform.contract import Owner, Process
from supervisor.ports import wording
from supervisor.ports.liveness import (
    Liveness,
    heirs,
    in_session,
    leaders,
    liveness,
    marker,
    service_of,
)
from supervisor.ports.lock import OPEN_FLAGS, is_locked
from supervisor.ports.owner import unit
from supervisor.records import InstanceRecord, Record


class Kind(StrEnum):
    PROCESS = "process"
    FILE = "file"
    SOCKET = "socket"


@dataclass(frozen=True, slots=True)
class Leftover:
    """One thing that a dead supervisor left."""

    kind: Kind
    unit: str
    """Whose it was: stack, instance, service, worktree."""
    why: str
    """By what it is told."""
    path: Path | None = None
    """Of a file or socket."""
    owner: Owner | None = None
    """Of a process, as is `command`."""
    command: str = ""
    kept: str | None = None
    """Why prune leaves it alone; None if it doesn't."""

    @property
    def name(self) -> str:
        return f"pid {self.owner.pid} ({self.command})" if self.owner else str(self.path)

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind.value,
            "unit": self.unit,
            "why": self.why,
            "path": str(self.path) if self.path else None,
            "owner": asdict(self.owner) if self.owner else None,
            "command": self.command,
            "kept": self.kept,
        }


@dataclass(frozen=True, slots=True)
class DeadFile:
    """A lock file whose supervisor is dead, or that nobody holds and that has no record."""

    path: Path
    record: Record | None
    identity: tuple[int, int]
    uid: int
    locked: bool

    @property
    def unit(self) -> str:
        return unit(self.record) if self.record else "nobody known"

    @property
    def rebooted(self) -> bool:
        return self.record is not None and liveness(self.record) is Liveness.REBOOTED


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a process counts as left over from a dead file's instance."""

    process: Process
    file: DeadFile
    record: Record
    why: str
    proven: bool
    """Whether it proves that portsup started that process."""
    service: str | None = None


def find(folder: Path) -> list[Leftover]:
    """Processes first, then the sockets and files that stay as long as those live."""
    dead = list(dead_files(folder))
    rest = (leftover for file in dead for leftover in (*sockets_of(file, folder), told_file(file)))
    return [*_processes(dead, folder), *rest]


def lock_files(folder: Path) -> list[Path]:
    return [*sorted(folder.glob("port-*.lock.json")), *sorted(folder.glob("instance-*.lock.json"))]


def dead_files(folder: Path) -> Iterator[DeadFile]:
    for path in lock_files(folder):
        if found := dead_file(path):
            yield found


def dead_file(path: Path) -> DeadFile | None:
    """None also where the file can't be opened."""
    try:
        fd = os.open(path, os.O_RDONLY | OPEN_FLAGS)
    except OSError:
        return None
    try:
        return _dead_file(path, fd)
    finally:
        os.close(fd)


def _dead_file(path: Path, fd: int) -> DeadFile | None:
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        return None
    record = records.decode(os.pread(fd, records.MAX_BYTES, 0))
    if record and liveness(record) in (Liveness.ALIVE, Liveness.ELSEWHERE):
        return None
    locked = is_locked(fd)
    if record is None and locked:
        return None  # somebody is just claiming
    return DeadFile(path, record, (status.st_dev, status.st_ino), status.st_uid, locked)


def _processes(dead: Sequence[DeadFile], folder: Path) -> Iterator[Leftover]:
    live = [process for process in os_facts.processes() if not process.zombie]
    above = _self_and_ancestors()
    told: dict[Owner, Leftover] = {}
    for evidence in (*_by_marker(dead, live), *_by_session(dead, live, folder), *_by_lock(dead, live)):
        owner = evidence.process.owner
        known = told.get(owner)
        if known is None or known.kept:
            told[owner] = _process(evidence, above)
    yield from told.values()


def _process(evidence: Evidence, above: Collection[int]) -> Leftover:
    return Leftover(
        Kind.PROCESS,
        unit(evidence.record, evidence.service),
        evidence.why,
        owner=evidence.process.owner,
        command=wording.command(os_facts.command_line(evidence.process.pid)),
        kept=_why_kept(evidence, above),
    )


def _by_marker(dead: Sequence[DeadFile], live: Sequence[Process]) -> Iterator[Evidence]:
    markers = [(process, found) for process in live if (found := marker(process.pid))]
    for file, record in _this_boot(dead):
        for process, found in markers:
            service = service_of(found, record.instance_id)
            if service is not None:
                yield Evidence(process, file, record, "carries its marker", True, service)


def _by_session(dead: Sequence[DeadFile], live: Sequence[Process], folder: Path) -> Iterator[Evidence]:
    for file, record in _this_boot(dead):
        for leader in leaders(record, folder):
            proven = os_facts.process(leader.pid) is not None
            for process in in_session(leader, live):
                yield Evidence(process, file, record, f"in the session of its pid {leader.pid}", proven)


def _by_lock(dead: Sequence[DeadFile], live: Sequence[Process]) -> Iterator[Evidence]:
    held = {file.identity: record.supervisor for file, record in _this_boot(dead) if file.locked}
    found = heirs(held)
    for file, record in _this_boot(dead):
        for process in live:
            if file.identity in found.get(process.owner, ()):
                yield Evidence(process, file, record, "holds its lock", True)


def _this_boot(dead: Sequence[DeadFile]) -> Iterator[tuple[DeadFile, Record]]:
    """Nobody outlives a boot, and the pids of then mean others now."""
    for file in dead:
        if file.record and not file.rebooted:
            yield file, file.record


def _why_kept(evidence: Evidence, above: Collection[int]) -> str | None:
    process, file = evidence.process, evidence.file
    if process.pid in above:
        return "this command runs below it"
    uid = os_facts.uid(process.pid)
    if file.uid not in (0, uid):
        return f"it is uid {uid}'s, the lock file uid {file.uid}'s"
    if os.geteuid() not in (0, uid):
        return f"uid {uid} or root must run `portsup prune`"
    return (
        None if evidence.proven else "its session's first process is gone, so who started it can't be proven"
    )


def _self_and_ancestors() -> set[int]:
    found: set[int] = set()
    pid = os.getpid()
    while pid and pid not in found:
        found.add(pid)
        process = os_facts.process(pid)
        pid = process.ppid if process else 0
    return found


def told_file(file: DeadFile) -> Leftover:
    if file.record is None:
        why = "nobody holds it and it has no record"
    elif file.rebooted:
        why = "from before the machine was started anew"
    else:
        why = f"its supervisor, pid {file.record.supervisor.pid}, is dead"
    kept = None if os.geteuid() in (0, file.uid) else f"uid {file.uid} or root must run `portsup prune`"
    return Leftover(Kind.FILE, file.unit, why, path=file.path, kept=kept)


def sockets_of(file: DeadFile, folder: Path) -> Iterator[Leftover]:
    """The control socket of a dead supervisor, unless a live one has its path now, and those on which its
    services were to notify it.

    Only out of a file of this user's own: anybody may write any path into theirs.
    """
    if not isinstance(file.record, InstanceRecord) or file.uid != os.geteuid():
        return
    control = Path(file.record.socket)
    for path in (control, *_notify_sockets(control.parent, file.record.instance_id)):
        if _is_dead_socket(path, folder):
            yield Leftover(Kind.SOCKET, file.unit, "nobody listens there", path=path)


def _notify_sockets(folder: Path, instance_id: str) -> list[Path]:
    """Those whose names tell; one whose path would be too long has a hash for a name."""
    try:
        names = os.listdir(folder)  # noqa: PTH208
    except (OSError, ValueError):
        return []
    return [
        folder / name
        for name in sorted(names)
        if name.startswith(f"{instance_id}-") and name.endswith(".sock")
    ]


def _is_dead_socket(path: Path, folder: Path) -> bool:
    try:
        found = os.lstat(path)
    except (OSError, ValueError):
        return False
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
        return False
    live = (record for record in records.instance_records(folder) if liveness(record) is Liveness.ALIVE)
    if any(record.socket == str(path) for record in live):
        return False
    return _refuses(path)


def _refuses(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(1.0)
        try:
            asking.connect(str(path))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False
