"""Whether anybody still stands behind a record: its supervisor, or what its supervisor started."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from pathlib import Path

from supervisor import records
from supervisor.marker import marker_of, service_of
from supervisor.platform import os_facts
from supervisor.platform.contract import Owner, Process
from supervisor.records import PortRecord, Record


class Liveness(Enum):
    ALIVE = "alive"
    DEAD = "dead"
    REBOOTED = "rebooted"
    """The machine was started anew since: nobody of then can live."""
    ELSEWHERE = "elsewhere"
    """In another pid namespace, where it can't be seen; that is no sign of death."""


def liveness(record: Record) -> Liveness:
    """How the supervisor that wrote `record` is."""
    if record.boot_id != os_facts.boot_id():
        return Liveness.REBOOTED
    if record.pidns != os_facts.pid_namespace():
        return Liveness.ELSEWHERE
    return Liveness.ALIVE if os_facts.is_alive(record.supervisor) else Liveness.DEAD


def leaders(record: Record, folder: Path) -> tuple[Owner, ...]:
    """The children that a record names; for an instance's, those of all its ports in `folder`.

    Of its own user's records only: another's may name any process as one of this instance.
    """
    ports = (
        [record]
        if isinstance(record, PortRecord)
        else [found for found in records.port_records(folder) if found.is_of(record)]
    )
    return tuple(found.child for found in ports if found.child)


class Census:
    """One look at all processes, for asking after as many instances as need be."""

    def __init__(self) -> None:
        self.live: list[Process] = []
        self.marked: list[tuple[Process, str]] = []
        for process in os_facts.processes():
            if not process.zombie:
                self.live.append(process)
                # Asked at once: whoever forks and exits before is not told, its child only by the next list.
                if found := marker_of(process.pid):
                    self.marked.append((process, found))

    def survivors(self, instance_id: str, leaders: tuple[Owner, ...] = ()) -> tuple[Owner, ...]:
        """Live processes of a dead supervisor's instance, told by their marker PORTSUP_UNIT or by being
        in the session of one of `leaders`."""
        told = {process.owner for leader in leaders for process in in_session(leader, self.live)}
        told.update(
            process.owner for process, found in self.marked if service_of(found, instance_id) is not None
        )
        return _by_age(told)


def _by_age(owners: Iterable[Owner]) -> tuple[Owner, ...]:
    return tuple(sorted(owners, key=lambda owner: (owner.started, owner.pid)))


def survivors(instance_id: str, leaders: tuple[Owner, ...] = ()) -> tuple[Owner, ...]:
    """What a census taken now tells."""
    return Census().survivors(instance_id, leaders)


def in_session(leader: Owner, processes: Iterable[Process]) -> Iterator[Process]:
    """Those of `processes` that are in the session that `leader` began.

    The kernel gives nobody the pid of a session that still has members. If the leader's pid means
    another process now, its session is gone and the one of this number is somebody else's.
    """
    now = os_facts.process(leader.pid)
    if now is not None and now.started != leader.started:
        return
    for process in processes:
        if process.sid == leader.pid and process.started >= leader.started:
            yield process


def heirs(files: Mapping[tuple[int, int], Owner]) -> dict[Owner, set[tuple[int, int]]]:
    """The live processes that inherited a dead supervisor's lock, and of which `files`.

    `files` gives for (device, inode) who took the lock. Who took it over since, and hasn't replaced the
    dead one's record yet, is a claimer and no heir.
    """
    if not files:
        return {}
    found: dict[Owner, set[tuple[int, int]]] = {}
    for process in os_facts.processes():
        for file, taker in os_facts.locked_files(process.pid).items():
            if file in files and taker in (0, files[file].pid) and process.pid != taker:
                found.setdefault(process.owner, set()).add(file)
    return found


def left_alive(record: Record, folder: Path, locked: tuple[int, int] | None) -> tuple[Owner, ...]:
    """Who of a dead supervisor's unit or instance lives, told by marker, session or, where its file is
    `locked` (device and inode), the inherited descriptor."""
    if liveness(record) is Liveness.REBOOTED:
        return ()
    told = {*survivors(record.instance_id, leaders(record, folder))}
    if locked is not None:
        told.update(heirs({locked: record.supervisor}))
    return _by_age(told)


def is_being_taken(file: tuple[int, int]) -> bool:
    """Whether a live process took the lock of (device, inode) by itself: it is about to replace the
    record of a dead one that still stands there."""
    return any(
        os_facts.locked_files(process.pid).get(file) == process.pid for process in os_facts.processes()
    )
