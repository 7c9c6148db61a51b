"""What follows when the files of a service have changed: it restarts, but not too often if it writes them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from supervisor.errors import PortsupError
from supervisor.supervise.change_pace import SLOW, ChangePace
from supervisor.supervise.unit import Unit, World


class FileChanges:
    def __init__(self, units: Mapping[str, Unit], world: World, is_stopping: Callable[[], bool]) -> None:
        self._units = units
        self._world = world
        self._is_stopping = is_stopping
        self._paces: dict[str, ChangePace] = {}
        self._waiting: set[str] = set()
        """Those that will restart in a while."""
        self._restarts: set[asyncio.Task[None]] = set()

    def changed(self, service: str, name: str) -> None:
        """Its file `name` did."""
        if service in self._waiting:
            return
        pace = self._paces.setdefault(service, ChangePace())
        wait = pace.wait(self._world.clock.now())
        if pace.just_slowed:
            often = f"it restarts every {SLOW:g} s at most from now on"
            text = f"{name} changes with each restart, and {often}: does {service} write it?"
            self._world.events.warning("unit.changes_itself", text, service=service)
        if wait:
            self._waiting.add(service)
            asyncio.get_running_loop().call_later(wait, self._follow, service, name)
        else:
            self._follow(service, name)

    def _follow(self, service: str, name: str) -> None:
        self._waiting.discard(service)
        unit = self._units.get(service)
        if unit is None or unit.is_off or self._is_stopping():
            return
        self._world.events.info("unit.changed", f"{name} changed: restarting", service=service)
        task = asyncio.create_task(self._restart(service))
        self._restarts.add(task)
        task.add_done_callback(self._restarts.discard)

    async def _restart(self, service: str) -> None:
        unit = self._units.get(service)
        try:
            if unit is not None:  # a reload may have removed it by now
                await unit.restart()
        except PortsupError as error:
            text = ": ".join([error.message, *error.details])
            self._world.events.error("unit.restart", text, service=service)
