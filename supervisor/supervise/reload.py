"""A running instance and a services.toml that has changed: shows what differs, and brings it about.

Nothing is touched before all is known to be possible: the file is right, and the ports that must be claimed
newly are claimed, all or none. Then each unit adopts its plan. One that has to start anew does so when
nothing of it is left, and only then gives back the ports that it doesn't keep.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

from supervisor.config.load import load
from supervisor.config.model import Problem
from supervisor.errors import PortsupError
from supervisor.plan.difference import ServiceDifference, Verb, compare, moving
from supervisor.plan.plan import Plan, UnitPlan, make_plan
from supervisor.ports.reserve import Reservation, Want, reserve_all
from supervisor.supervise.state import AT_REST, State
from supervisor.supervise.supervisor import Supervisor
from supervisor.supervise.unit import Unit, World

STAYS = "stay stopped"
"""What is done to a service that differs and that nobody wants up."""

WAITING = AT_REST | {State.PENDING, State.BACKOFF}
"""States in which no process would have to end."""


class _Reload(NamedTuple):
    old: Plan
    new: Plan
    differences: tuple[ServiceDifference, ...]
    warnings: tuple[Problem, ...]

    @property
    def fingerprint(self) -> int:
        """Tells whether what was shown is still what would be done."""
        return crc32(repr((self.old, self.new)).encode(errors="surrogateescape"))

    @property
    def plans(self) -> dict[str, UnitPlan]:
        """The plans of those that there are to be."""
        return {unit.name: unit for unit in self.new.units}


class Reloader:
    def __init__(
        self, supervisor: Supervisor, world: World, know_services: Callable[[Sequence[str]], None]
    ) -> None:
        """`know_services` is told the names of all before the first new one says something."""
        self._supervisor = supervisor
        self._world = world
        self._know_services = know_services
        self._turn = asyncio.Lock()
        """One after the other."""

    async def show(self) -> dict[str, Any]:
        """What differs, as JSON. Raises ConfigError for a wrong file, or PortsupError for a change that needs
        another instance."""
        found = await self._compare()
        return {
            "fingerprint": found.fingerprint,
            "warnings": [problem.brief for problem in found.warnings],
            "services": [self._to_json(one) for one in found.differences],
        }

    async def apply(self, fingerprint: int) -> list[Unit]:
        """Bring it about, and wait until it is: the units that differ, those that are no more left out.

        Raises as `show` does, NoFreePort, or PortsupError if it isn't what was shown under `fingerprint`;
        then nothing has changed.
        """
        async with self._turn:
            found = await self._compare()
            if found.fingerprint != fingerprint:
                raise PortsupError(
                    f"{found.new.config.name} or the instance has changed since the difference was shown",
                    details=["nothing was done"],
                    hint="reload once more",
                )
            await self._adopt(found)
            await self._start_anew(found)
            await self._supervisor.until(lambda: not any(unit.adopts for unit in self._units))
            await self._remove(found)
        there = [one.service for one in found.differences if one.verb is not Verb.STOP]
        units = [self._supervisor.units[name] for name in there]
        await self._supervisor.until_settled(unit for unit in units if not unit.is_off)
        if self._supervisor.stopping:
            raise PortsupError("the instance was stopped while it was reloaded")
        return units

    @property
    def _units(self) -> list[Unit]:
        return list(self._supervisor.units.values())

    async def _compare(self) -> _Reload:
        old = self._supervisor.plan
        config = await asyncio.to_thread(load, Path(old.config))
        new = make_plan(config, old.instance)
        known = self._world.launcher.claimed
        claimed = {unit.name: known[unit.name] for unit in self._units if not _has_given_back(unit)}
        differences = tuple(map(self._mended, compare(old, new, claimed)))
        return _Reload(old, new, differences, (*config.warnings, *new.warnings))

    def _mended(self, one: ServiceDifference) -> ServiceDifference:
        """Whatever changes in one that fails may be what was wrong with it."""
        unit = self._supervisor.units.get(one.service)
        fails = unit is not None and not unit.is_off and unit.state in (State.FATAL, State.BACKOFF)
        return one._replace(verb=Verb.RESTART) if fails and one.verb is Verb.KEEP else one

    def _to_json(self, one: ServiceDifference) -> dict[str, Any]:
        unit = self._supervisor.units.get(one.service)
        stays = unit is not None and unit.is_off and one.verb in (Verb.RESTART, Verb.KEEP)
        return {
            "service": one.service,
            "does": STAYS if stays else str(one.verb),
            "changes": [change._asdict() for change in one.changes],
            "moves": list(one.moves),
            "told": list(one.told),
        }

    # Doing it

    async def _adopt(self, found: _Reload) -> None:
        """Claim, and hand everybody its plan. Raises PortsupError; then nothing has changed."""
        try:
            async with AsyncExitStack() as claiming:
                for unit in self._units:
                    await claiming.enter_async_context(unit.claims.lock)
                await self._claim_and_hand_out(found)
        finally:
            self._supervisor.changed()  # only now: at_rest looks at those locks

    async def _claim_and_hand_out(self, found: _Reload) -> None:
        claimed = await self._claim(found)
        try:
            if self._supervisor.stopping:
                raise PortsupError("the instance is stopping")
            added = self._make(found, claimed)
        except BaseException:
            for held in reversed(claimed):
                held.give_back()
            raise
        self._hand_out(found, claimed, added)

    async def _claim(self, found: _Reload) -> list[Reservation]:
        wants = [want for one in found.differences for want in self._wants(one, found)]
        record = self._world.claim.record
        return await asyncio.to_thread(reserve_all, wants, record, self._world.folder, self._world.clock)

    def _wants(self, one: ServiceDifference, found: _Reload) -> list[Want]:
        """The pools of which it has no port that it could keep, each with its last port first."""
        unit = self._supervisor.units.get(one.service)
        if one.verb is Verb.STOP or (unit is not None and _has_given_back(unit) and unit.is_off):
            return []
        plan = found.plans[one.service]
        held = {} if unit is None else unit.holdings.ports
        last = self._world.launcher.claimed.get(one.service, {})
        if one.verb is Verb.KEEP and len(held) < len(plan.pools):
            return []  # it is over, and stays so
        missing = [pool for pool in plan.pools if pool.name in moving(plan, held)]
        return [
            Want(one.service, pool, tuple(sorted(pool.ports, key=lambda port: port != last.get(pool.name))))
            for pool in missing
        ]

    def _make(self, found: _Reload, claimed: Sequence[Reservation]) -> list[Unit]:
        """Raises PortsupError if a log can't be opened, or a socket not be made."""
        added: list[Unit] = []
        try:
            for one in found.differences:
                if one.verb is Verb.START:
                    plan = found.plans[one.service]
                    added.append(Unit(plan, self._world, _of(claimed, one.service), up=True))
        except BaseException:
            for unit in added:
                unit.close()
            raise
        return added

    def _hand_out(self, found: _Reload, claimed: Sequence[Reservation], added: Sequence[Unit]) -> None:
        names = [one.service for one in found.differences]
        text = f"reloaded {found.new.config.name}: {', '.join(names) or 'no service'} changed"
        self._world.events.info("instance.reloaded", text, services=names)
        self._know_services([unit.name for unit in found.new.units])
        self._world.launcher.adopt_plan(found.new)
        for held in claimed:
            self._world.launcher.note(held)
        self._supervisor.adopt_plan(found.new, added)
        for one in found.differences:
            unit = self._supervisor.units[one.service]
            if one.verb in (Verb.RESTART, Verb.KEEP):
                anew = one.verb is Verb.RESTART
                unit.adopt_plan(found.plans[unit.name], _of(claimed, unit.name), anew=anew)

    async def _start_anew(self, found: _Reload) -> None:
        """Those that are to restart, and of which nothing runs that would have to end first."""
        for one in found.differences:
            unit = self._supervisor.units[one.service]
            if one.verb is Verb.RESTART and not unit.is_off and unit.state in WAITING:
                await self._start(unit)

    async def _start(self, unit: Unit) -> None:
        try:
            await unit.start()
        except PortsupError as error:
            text = ": ".join([error.message, *error.details])
            self._world.events.error("unit.reload", text, service=unit.name)

    async def _remove(self, found: _Reload) -> None:
        """Dependents come before what they depend on: so they are ordered."""
        for one in found.differences:
            if one.verb is Verb.STOP:
                unit = self._supervisor.units[one.service]
                unit.stop()
                while not unit.at_rest:
                    await self._supervisor.until_at_rest([unit])
                    unit.stop()  # somebody may have started it meanwhile
                self._supervisor.remove(unit)
                self._world.launcher.drop(unit.name)


def _has_given_back(unit: Unit) -> bool:
    """Whether it is over, and holds no ports; one that was never started holds them."""
    return unit.state in AT_REST and len(unit.holdings.ports) < len(unit.plan.pools)


def _of(reservations: Sequence[Reservation], service: str) -> list[Reservation]:
    return [held for held in reservations if held.service == service]
