"""The watcher: about once a second one look of all shields, with one read of the kernel's table."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from supervisor.config.model import ShieldMode
from supervisor.plan.plan import UnitPlan
from supervisor.platform import Listener, ListenerTable, os_facts
from supervisor.ports.shield import ByPort, by_port, elsewhere
from supervisor.supervise.unit import LIVE, Unit

PERIOD = 1.0
"""Seconds between two rounds."""

LISTENS_SOON = 3.0
"""Seconds that a child has to listen on its port before it is looked at where it listens instead."""

LISTENS_AT_ALL = 10.0
"""Seconds until one that listens nowhere is worth a warning."""


class Watcher:
    def __init__(
        self,
        units: Callable[[], Sequence[Unit]],
        look_at_instance: Callable[[], Awaitable[None]],
        report_bug: Callable[[str, BaseException], None],
        table: ListenerTable | None,
    ) -> None:
        """`look_at_instance` is called in each round, for what isn't a unit's. `table` is ours to close."""
        self._units = units
        self._look_at_instance = look_at_instance
        self._report_bug = report_bug
        self._table = table
        self._listeners: Sequence[Listener] = ()
        self._by_port: ByPort = {}
        self._settled: dict[str, int] = {}
        """Service → the spawn of which it is known that it listens on its port, or people were told where
        it does."""

    def look_at(self, table: ListenerTable | None) -> None:
        """Another table from now on, as for other ports."""
        self._close()
        self._table, self._listeners, self._by_port = table, (), {}

    def _close(self) -> None:
        if self._table is not None:
            self._table.close()

    async def run(self) -> None:
        try:
            while True:
                await asyncio.sleep(PERIOD)
                await self._look()
        finally:
            self._close()

    async def _look(self) -> None:
        try:
            await self._look_at_instance()
            self.round()
        except Exception as bug:
            self._report_bug("the watcher", bug)  # and go on: without a watcher no shield is one

    def round(self) -> None:
        units = self._units()
        if not any(unit.holdings.reservations for unit in units):
            return
        self._read_table()
        for unit in units:
            unit.watch(self._by_port)
            if self._is_due(unit):
                self._look_elsewhere(unit)

    def _read_table(self) -> None:
        if self._table is None:
            return
        listeners = self._table.read()
        if listeners is not self._listeners:
            self._listeners = listeners
            self._by_port = by_port(listeners)

    def _look_elsewhere(self, unit: Unit) -> None:
        """A child that doesn't listen on its port, though it had the time: say where it does."""
        own = frozenset(unit.holdings.ports.values())
        if own.isdisjoint(self._by_port):
            ports = elsewhere(unit.tree_pids, os_facts.listeners(), own)
            if not ports and not (unit.ready and (unit.live_for or 0.0) >= LISTENS_AT_ALL):
                return
            unit.warn_elsewhere(ports)
        self._settled[unit.name] = unit.spawns

    def _is_due(self, unit: Unit) -> bool:
        return (
            self._settled.get(unit.name) != unit.spawns
            and unit.state in LIVE
            and unit.plan.service.shield is ShieldMode.TREE
            and unit.holdings.main_port is not None
            and (unit.live_for or 0.0) >= LISTENS_SOON
        )


def table_for(plans: Iterable[UnitPlan]) -> ListenerTable | None:
    """Of the ports from the first to the last of all pools: what a claim can come to hold lies within.

    Raises OSError if there is no descriptor for it.
    """
    ports = [port for plan in plans for pool in plan.pools for port in pool.ports]
    return os_facts.listener_table(range(min(ports), max(ports) + 1)) if ports else None
