"""What dead supervisors left behind: processes, lock files, sockets. Looks, touches nothing.

A process is told by its marker, by its session, or by the lock that it inherited. That proves that
portsup started it, with two exceptions: a session whose first process is gone may be another's by
now, and a record says nothing about processes of other users than the one whose file it is in,
since anybody may write into the lock folder.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from supervisor import records
from supervisor.marker import service_of
from supervisor.platform import os_facts
from supervisor.platform.contract import Owner, Process
from supervisor.ports import commandline, wording
from supervisor.ports.liveness import (
    Census,
    Liveness,
    heirs,
    in_session,
    is_being_taken,
    liveness,
)
from supervisor.ports.lock import OPEN_FLAGS, is_locked, unreadable_folder
from supervisor.ports.report import unit
from supervisor.records import PortRecord, Record


class Kind(StrEnum):
    PROCESS = "process"
    FILE = "file"
    SOCKET = "socket"


class Leftover(NamedTuple):
    """One thing that a dead supervisor left."""

    kind: Kind
    instance_id: str | None
    instance: str
    """Whose it was: stack, instance, worktree, and how that one ended."""
    service: str | None
    why: str
    """By what it is told."""
    uid: int
    """Whose it is."""
    path: Path | None = None
    """Of a file or socket."""
    owner: Owner | None = None
    """Of a process, as are `command` and `told_by`."""
    command: str = ""
    told_by: int | None = None
    """Whose lock file tells of it: anybody may write into the lock folder."""
    kept: str | None = None
    """Why prune leaves it alone; None if it doesn't."""
    hint: str | None = None
    """What to do instead."""

    @property
    def name(self) -> str:
        return f"pid {self.owner.pid} ({self.command})" if self.owner else str(self.path)

    @property
    def ours(self) -> bool:
        """Whether it is this user's to clear."""
        return os.geteuid() in (0, self.uid)

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind.value,
            "instance_id": self.instance_id,
            "instance": self.instance,
            "service": self.service,
            "why": self.why,
            "uid": self.uid,
            "path": str(self.path) if self.path else None,
            "owner": self.owner._asdict() if self.owner else None,
            "command": self.command,
            "kept": self.kept,
            "hint": self.hint,
        }


class DeadFile(NamedTuple):
    """A lock file whose supervisor is dead, or that nobody holds and that has no record."""

    path: Path
    record: Record | None
    identity: tuple[int, int]
    uid: int
    locked: bool

    @property
    def instance_id(self) -> str | None:
        return self.record.instance_id if self.record else None

    @property
    def instance(self) -> str:
        """Of whom it tells."""
        if self.record is None:
            return "lock files without a record, which nobody holds"
        return f"{unit(self.record, '')}, {self._end(self.record)}"

    def _end(self, record: Record) -> str:
        if self.rebooted:
            return "from before the machine was started anew"
        return f"whose supervisor, pid {record.supervisor.pid}, is dead"

    @property
    def service(self) -> str | None:
        return self.record.service if isinstance(self.record, PortRecord) else None

    @property
    def rebooted(self) -> bool:
        return self.record is not None and liveness(self.record) is Liveness.REBOOTED


class Evidence(NamedTuple):
    """Why a process counts as left over from a dead file's instance."""

    process: Process
    file: DeadFile
    why: str
    proven: bool
    """Whether it proves that portsup started that process."""
    service: str | None


def lock_files(folder: Path) -> list[Path]:
    """Those of ports, then those of instances, by number. Raises LockFolderError."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - Path.glob says nothing of a folder that it can't read
    except FileNotFoundError:
        return []
    except OSError as error:
        raise unreadable_folder(folder, error) from error
    of_ports, of_instances = (
        [name for name in names if name.startswith(kind) and name.endswith(".lock.json")]
        for kind in ("port-", "instance-")
    )
    return [folder / name for kind in (of_ports, of_instances) for name in sorted(kind, key=_by_number)]


def _by_number(name: str) -> tuple[int, str]:
    return len(name), name


def dead_files(folder: Path) -> Iterator[DeadFile]:
    for path in lock_files(folder):
        try:
            fd = os.open(path, os.O_RDONLY | OPEN_FLAGS)
        except OSError:
            continue
        try:
            found = _dead_file(path, fd)
        finally:
            os.close(fd)
        if found:
            yield found


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


def processes(dead: Sequence[DeadFile]) -> Iterator[Leftover]:
    census = Census()
    above = _self_and_ancestors()
    told: dict[Owner, Leftover] = {}
    of_this_boot = [file for file in dead if file.record and not file.rebooted]
    for evidence in (
        *_by_marker(of_this_boot, census),
        *_by_session(of_this_boot, census),
        *_by_lock(of_this_boot, census),
    ):
        owner = evidence.process.owner
        known = told.get(owner)
        if known is None or known.kept:
            told[owner] = _process(evidence, above)
    yield from told.values()


def _process(evidence: Evidence, above: Collection[int]) -> Leftover:
    process, file = evidence.process, evidence.file
    uid = os_facts.uid(process.pid)
    kept, hint = _why_kept(evidence, uid, above) or (None, None)
    return Leftover(
        Kind.PROCESS,
        file.instance_id,
        file.instance,
        evidence.service,
        evidence.why,
        -1 if uid is None else uid,
        owner=process.owner,
        command=commandline.shown(process.pid),
        told_by=file.uid,
        kept=kept,
        hint=hint,
    )


def _by_marker(dead: Sequence[DeadFile], census: Census) -> Iterator[Evidence]:
    for file in dead:
        for process, found in census.marked:
            service = service_of(found, file.record.instance_id) if file.record else None
            if service is not None:
                yield Evidence(process, file, "carries its marker", True, wording.printable(service))


def _by_session(dead: Sequence[DeadFile], census: Census) -> Iterator[Evidence]:
    """Each child is named by the record of its own port: an instance's record names none."""
    for file in dead:
        leader = file.record.child if isinstance(file.record, PortRecord) else None
        if leader is None:
            continue
        # Who leads the session still, after the census was taken, led it then.
        proven = _is_there(leader)
        for process in in_session(leader, census.live):
            yield Evidence(process, file, f"in the session of its pid {leader.pid}", proven, file.service)


def _is_there(owner: Owner) -> bool:
    """Also as a zombie, which keeps its pid from being given to anybody else."""
    found = os_facts.process(owner.pid)
    return found is not None and found.owner == owner


def _by_lock(dead: Sequence[DeadFile], census: Census) -> Iterator[Evidence]:
    held = {file.identity: file for file in dead if file.locked}
    found = heirs({identity: file.record.supervisor for identity, file in held.items() if file.record})
    for process in census.live:
        for identity in found.get(process.owner, ()):
            yield Evidence(process, held[identity], "holds its lock", True, held[identity].service)


def _why_kept(evidence: Evidence, uid: int | None, above: Collection[int]) -> tuple[str, str] | None:
    """The reason, and what to do instead."""
    process, file = evidence.process, evidence.file
    if process.pid in above:
        return "this command runs below it", f"leave it, then {wording.PRUNE} again"
    if file.uid not in (0, uid):
        reason = f"it is uid {uid}'s and the lock file uid {file.uid}'s, which proves nothing"
        return reason, f"{wording.or_root(uid)} may `kill {process.pid}`"
    if os.geteuid() not in (0, uid):
        return f"it is uid {uid}'s", f"{wording.or_root(uid)} must {wording.PRUNE}"
    if not evidence.proven:
        reason = "its session's first process is gone, so who started it can't be proven"
        return reason, f"if it is yours, `kill {process.pid}`"
    return None


def _self_and_ancestors() -> set[int]:
    found: set[int] = set()
    pid = os.getpid()
    while pid and pid not in found:
        found.add(pid)
        process = os_facts.process(pid)
        pid = process.ppid if process else 0
    return found


def files(
    dead: Sequence[DeadFile], told: Sequence[Leftover], *, staying: bool
) -> Iterator[tuple[DeadFile, Leftover]]:
    """What is to become of each of `dead`, given the processes that `processes` told, which are `staying`
    all, or else only where they are kept. One that a claimer is just taking over isn't left over."""
    found = {(process.instance_id, process.told_by) for process in told}
    remain = {(process.instance_id, process.told_by) for process in told if staying or process.kept}
    for file in dead:
        instance = file.instance_id, file.uid
        if not file.locked or instance in found:
            yield file, _file(file, _why_file_kept(file, instance in remain))
        elif not is_being_taken(file.identity):
            yield file, _file(file, ("somebody who can't be seen holds it", f"root must {wording.PRUNE}"))


def _why_file_kept(file: DeadFile, lived_in: bool) -> tuple[str, str] | None:
    """The reason, and what to do instead."""
    if os.geteuid() not in (0, file.uid):
        return f"it is uid {file.uid}'s", f"{wording.or_root(file.uid)} must {wording.PRUNE}"
    if lived_in:
        return "processes of its instance live", f"once they have ended, {wording.PRUNE} again"
    return None


def _file(file: DeadFile, why_kept: tuple[str, str] | None) -> Leftover:
    if file.record is None:
        why = "nobody holds it and it has no record"
    elif file.rebooted:
        why = "from before the machine was started anew"
    else:
        why = f"its supervisor, pid {file.record.supervisor.pid}, is dead"
    kept, hint = why_kept or (None, None)
    return Leftover(
        Kind.FILE,
        file.instance_id,
        file.instance,
        file.service,
        why,
        file.uid,
        path=file.path,
        kept=kept,
        hint=hint,
    )
