"""Whose process is it: the trees of all units, and the orphans that were adopted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from supervisor.platform.contract import Process
from supervisor.process.child import Child


class Forest:
    """All that lives below this supervisor, by unit.

    An orphan's unit is told by its session, then its marker, then its lock descriptor's inode, then
    its last known ancestor; else it belongs to the instance (key None).
    """

    def __init__(self, instance_id: str) -> None:
        raise NotImplementedError

    def plant(self, unit: str, child: Child, locks: Sequence[tuple[int, int]]) -> None:
        """A unit has a new child; `locks` are (device, inode) of its lock files."""
        raise NotImplementedError

    def look(self) -> Mapping[str | None, list[Process]]:
        """Every live process (no zombies) below this one, by unit."""
        raise NotImplementedError

    def members(self, unit: str | None) -> list[Process]:
        raise NotImplementedError

    def reap_orphans(self, ours: frozenset[int]) -> None:
        """Wait for adopted children that have died, each by its pid; `ours` have waiters of their own."""
        raise NotImplementedError
