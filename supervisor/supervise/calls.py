"""What one can ask of a running instance: the methods of the control socket."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from supervisor import durations
from supervisor.errors import ExitCode, PortsupError, UsageError
from supervisor.plan.plan import instance_variables
from supervisor.supervise.launcher import Launcher
from supervisor.supervise.supervisor import Supervisor
from supervisor.supervise.timings import Timings
from supervisor.supervise.unit import Unit

if TYPE_CHECKING:
    from supervisor.supervise.keyboard import Keyboard, Viewer
    from supervisor.supervise.reload import Reloader

Params = Mapping[str, Any]


def _timeout(value: object) -> float | None:
    """In seconds. Raises ValueError for what no clock can reckon with."""
    try:
        return None if value is None else durations.seconds(value)
    except ValueError as wrong:
        raise ValueError(f"timeout {wrong}") from wrong


LARGEST = 1000
"""Rows, columns or lines: more are a mistake, and some programs allocate what they are told."""


def _size(params: Params) -> os.terminal_size | None:
    """Raises ValueError for what is no terminal's."""
    rows, columns = params.get("rows"), params.get("columns")
    if rows is None and columns is None:
        return None
    return os.terminal_size((_count("columns", columns, 1), _count("rows", rows, 1)))


def _lines(params: Params) -> int:
    return _count("lines", params.get("lines", 0), 0)


def _count(name: str, value: object, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= LARGEST:
        raise ValueError(f"{name} is a number from {least} to {LARGEST}")
    return value


def _keyboard(unit: Unit) -> Keyboard:
    """Raises PortsupError if the service has no terminal now."""
    if not unit.plan.service.tty:
        raise UsageError(
            f"{unit.name} has no terminal",
            hint=f"write `tty = true` into [services.{unit.name}], then run `portsup reload`",
        )
    if unit.keyboard is None:
        because = f": {unit.reason}" if unit.reason else ""
        raise PortsupError(
            f"{unit.name} does not run, it is {unit.state}{because}",
            hint=f"`portsup start {unit.name}` starts it; `portsup logs {unit.name}` shows what it printed",
        )
    return unit.keyboard


class Calls:
    def __init__(
        self,
        supervisor: Supervisor,
        launcher: Launcher,
        timings: Timings,
        make_reloader: Callable[[], Reloader],
        *,
        instance_id: str,
        data_dir: Path,
    ) -> None:
        self._supervisor = supervisor
        self._launcher = launcher
        self._timings = timings
        self._make_reloader = make_reloader
        self._reloader: Reloader | None = None
        self._instance_id = instance_id
        self._data_dir = data_dir
        self._methods: dict[str, Callable[[Params], Awaitable[Any]]] = {
            "snapshot": self._snapshot,
            "down": self._down,
            "start": self._start,
            "stop": self._stop,
            "restart": self._restart,
            "reload": self._reload,
            "wait": self._wait,
            "env": self._env,
            "stats": self._stats,
            "resize": self._resize,
        }

    async def dispatch(self, method: str, params: Params) -> Any:
        """Raises KeyError for an unknown method, ValueError for wrong params, else PortsupError."""
        return await self._methods[method](params)

    async def _snapshot(self, _params: Params) -> Any:
        return self._supervisor.snapshot().to_json()

    async def _down(self, _params: Params) -> Any:
        self._supervisor.stop(ExitCode.OK, "portsup down")
        return {}

    async def _start(self, params: Params) -> Any:
        units = self._with_dependencies(self._named(params))
        self._refuse_while_stopping()
        for name in [unit.name for unit in units]:
            await self._unit(name).start()  # while we waited for one, a reload may have removed the next
        await self._supervisor.until_settled(units)
        return self._snapshots(self._named(params))

    async def _stop(self, params: Params) -> Any:
        units = self._named(params)
        for unit in units:
            unit.parked = True
            unit.stop()
        await self._supervisor.until_at_rest(units)
        if again := [unit.name for unit in units if not unit.is_off]:
            raise PortsupError(f"{', '.join(again)} was started again meanwhile")
        return self._snapshots(units)

    async def _restart(self, params: Params) -> Any:
        units = self._named(params)
        self._refuse_while_stopping()
        for name in [unit.name for unit in units]:
            await self._unit(name).restart()  # as above
        await self._supervisor.until_settled(units)
        return self._snapshots(units)

    async def _reload(self, params: Params) -> Any:
        """What differs; with `apply`, the fingerprint that it was shown with, it is done."""
        apply = params.get("apply")
        if apply is not None and not isinstance(apply, int):
            raise ValueError("apply is the fingerprint of what was shown, or null")
        if self._reloader is None:
            self._reloader = self._make_reloader()
        if apply is None:
            return await self._reloader.show()
        self._refuse_while_stopping()
        return self._snapshots(await self._reloader.apply(apply))

    async def _wait(self, params: Params) -> Any:
        timeout = _timeout(params.get("timeout"))
        unready = [unit.name for unit in await self._supervisor.until_ready(timeout)]
        return {"ready": not unready, "failed": unready}

    async def _env(self, params: Params) -> Any:
        service = params.get("service")
        if service is None:
            return instance_variables(
                self._supervisor.plan,
                self._launcher.claimed,
                instance_id=self._instance_id,
                data_dir=self._data_dir,
            )
        return self._launcher.prepare(self._unit(service).plan).set_here

    def attach(self, params: Params) -> tuple[Any, Viewer]:
        """One more at the terminal of a service; what they see and type goes through the Viewer.

        Raises PortsupError if it has none, ValueError for wrong params.
        """
        unit, size, lines = self._unit(params.get("service")), _size(params), _lines(params)
        return {"pid": unit.snapshot().pid}, _keyboard(unit).attach(size, lines)

    async def _resize(self, params: Params) -> Any:
        size = _size(params)
        if size is None:
            raise ValueError("rows and columns are missing")
        _keyboard(self._unit(params.get("service"))).resize(size)
        return {}

    async def _stats(self, _params: Params) -> Any:
        return {"services": self._timings.to_json()}

    def _refuse_while_stopping(self) -> None:
        if self._supervisor.stopping:
            raise PortsupError("the instance is stopping", hint="wait until it is down, then `portsup up`")

    def _named(self, params: Params) -> list[Unit]:
        names = params.get("services")
        if not isinstance(names, list) or not names:
            raise ValueError("services is a list of at least one name")
        return [self._unit(name) for name in names]

    def _unit(self, name: object) -> Unit:
        units = self._supervisor.units
        if not isinstance(name, str) or name not in units:
            raise UsageError(f"there is no service {name!r}", hint="the stack has " + ", ".join(units))
        return units[name]

    def _with_dependencies(self, units: Sequence[Unit]) -> list[Unit]:
        """What they depend on comes first, so that nobody waits for a unit that nobody started."""
        found: dict[str, Unit] = {}

        def add(unit: Unit) -> None:
            needs = [self._supervisor.units[name] for name in unit.plan.service.depends_on]
            for need in needs:
                if not need.satisfied and need.name not in found:  # a job that is done isn't done again
                    add(need)
            found[unit.name] = unit

        for unit in units:
            add(unit)
        return list(found.values())

    def _snapshots(self, units: Sequence[Unit]) -> Any:
        return {"services": [unit.snapshot().to_json() for unit in units]}
