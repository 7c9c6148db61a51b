"""Whose process is it: the trees of all units, and the orphans that were adopted.

The supervisor is a subreaper, so everything that its services start stays below it: a process whose
parent dies becomes the supervisor's own child. What stands below a unit's child is that unit's; an
adopted orphan has to be told by what it carries.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Mapping, Sequence
from typing import NamedTuple

from supervisor.marker import marker_of, service_of
from supervisor.platform import os_facts
from supervisor.platform.contract import Owner, Process
from supervisor.process.child import Child
from supervisor.process.tree import children_until_stable, reap_children, with_descendants


class _Leader(NamedTuple):
    """The child that a unit had or has, and whose pid names a session."""

    unit: str
    child: Child


class Forest:
    """All that lives below this supervisor, by unit.

    An orphan's unit is told by its session, then its marker, then its lock descriptor's inode, then
    its last known ancestor; else it belongs to the instance (key None).
    """

    def __init__(self, instance_id: str) -> None:
        self._instance_id = instance_id
        self._leaders: dict[int, _Leader] = {}
        self._locks: dict[tuple[int, int], str] = {}
        self._known: dict[Owner, str] = {}
        """Whoever was seen in a unit's tree, while it lives: the last known ancestor of an orphan."""

    def plant(self, unit: str, child: Child, locks: Sequence[tuple[int, int]]) -> None:
        """A unit has a new child; `locks` are (device, inode) of its lock files."""
        self._leaders[child.pid] = _Leader(unit, child)
        others = {lock: name for lock, name in self._locks.items() if name != unit}
        self._locks = others | dict.fromkeys(locks, unit)

    def look(self, wanted: Container[str | None] | None = None) -> Mapping[str | None, list[Process]]:
        """Every live process (no zombies) below this one, by unit; with `wanted` those of these units, at
        the cost of their trees alone. Nobody who was forked from one of them is missed: it is one look."""
        units: dict[str | None, list[Process]] = {}
        for unit, process in self._see(lambda name: wanted is None or name in wanted):
            units.setdefault(unit, []).append(process)
        return units

    def members(self, unit: str | None) -> list[Process]:
        """Those of one unit."""
        return self.look((unit,)).get(unit, [])

    def adopt(self, stray: Owner, unit: str) -> None:
        """An orphan of nobody known (key None) turned out to be of `unit`."""
        self._known[stray] = unit

    def reap_orphans(self, ours: frozenset[int]) -> None:
        """Wait for adopted children that have died, each by its pid; `ours` have waiters of their own."""
        reap_children(ours)

    def _see(self, wanted: Callable[[str | None], bool]) -> list[tuple[str | None, Process]]:
        seen: dict[int, tuple[str | None, Process]] = {}
        for root in children_until_stable(os.getpid()):
            unit = self._unit_of(root)
            if wanted(unit):
                for process in with_descendants(root):
                    seen[process.pid] = unit, process
                    if unit is not None:
                        self._known[process.owner] = unit
        self._forget([process for _, process in seen.values()], wanted)
        return [(unit, process) for unit, process in seen.values() if not process.zombie]

    def _unit_of(self, pid: int) -> str | None:
        leader = self._leaders.get(pid)
        if leader is not None and not leader.child.reaped:
            return leader.unit
        orphan = os_facts.process(pid)
        if orphan is None:
            return None
        return (
            self._known.get(orphan.owner)  # told before, or seen below its unit: no need to ask again
            or self._by_session(orphan)
            or self._by_marker(orphan)
            or self._by_lock(orphan)
        )

    def _by_session(self, orphan: Process) -> str | None:
        """The unit whose child made the orphan's session.

        The kernel gives no pid to a new process while it still names somebody's session, so the number
        alone tells, as long as it is ours: it isn't once the session has died out, another process got
        the pid and made a session of its own.
        """
        leader = self._leaders.get(orphan.sid)
        if leader is None:
            return None
        named = os_facts.process(orphan.sid)
        return leader.unit if named is None or named.owner == leader.child.owner else None

    def _by_marker(self, orphan: Process) -> str | None:
        return service_of(marker_of(orphan.pid), self._instance_id)

    def _by_lock(self, orphan: Process) -> str | None:
        held = os_facts.open_files(orphan.pid) & self._locks.keys()
        return next((self._locks[lock] for lock in held), None)

    def _forget(self, seen: Sequence[Process], wanted: Callable[[str | None], bool]) -> None:
        """Drop whoever is gone, and every session that has died out: its number may be given anew."""
        alive = {process.owner for process in seen}
        sessions = {process.sid for process in seen}
        self._known = {
            owner: unit for owner, unit in self._known.items() if owner in alive or not wanted(unit)
        }
        self._leaders = {
            pid: leader
            for pid, leader in self._leaders.items()
            if not leader.child.reaped or pid in sessions or not wanted(leader.unit)
        }
