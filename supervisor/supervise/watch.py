"""The watcher: about once a second one look of all shields, with one read of the kernel's table."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from supervisor.config.model import ShieldMode
from supervisor.platform import Listener, os_facts
from supervisor.ports.shield import elsewhere
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
    ) -> None:
        """`look_at_instance` is called in each round, for what isn't a unit's."""
        self._units = units
        self._look_at_instance = look_at_instance
        self._report_bug = report_bug
        self._told: dict[str, int] = {}
        """Service → the spawn about which people were told where it listens."""

    async def run(self) -> None:
        while True:
            await asyncio.sleep(PERIOD)
            try:
                await self._look_at_instance()
                self.round()
            except Exception as bug:
                self._report_bug("the watcher", bug)  # and go on: without a watcher no shield is one

    def round(self) -> None:
        units = self._units()
        if not any(unit.holdings.reservations for unit in units):
            return
        listeners = os_facts.listeners()
        for unit in units:
            unit.watch(listeners)
            self._look_elsewhere(unit, listeners)

    def _look_elsewhere(self, unit: Unit, listeners: Sequence[Listener]) -> None:
        """A child that doesn't listen on its port, though it had the time: say where it does."""
        own = frozenset(unit.holdings.ports.values())
        if not self._is_due(unit) or any(listener.port in own for listener in listeners):
            return
        ports = elsewhere(unit.tree_pids, listeners, own)
        if ports or (unit.ready and (unit.live_for or 0.0) >= LISTENS_AT_ALL):
            self._told[unit.name] = unit.spawns
            unit.warn_elsewhere(ports)

    def _is_due(self, unit: Unit) -> bool:
        return (
            unit.state in LIVE
            and unit.plan.service.shield is ShieldMode.TREE
            and unit.holdings.main_port is not None
            and (unit.live_for or 0.0) >= LISTENS_SOON
            and self._told.get(unit.name) != unit.spawns
        )
