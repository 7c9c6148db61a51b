"""Starting one unit's command, with the ports that are claimed now.

Apart from `unit.py` since the first wave of children is started before asyncio is imported: its import
takes longer than their spawns, and meanwhile they already come up.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from supervisor.clock import Clock
from supervisor.config import variables
from supervisor.plan.plan import Common, Launch, Plan, UnitPlan, launch, make_common
from supervisor.ports.reserve import InstanceClaim, Reservation, listening_of
from supervisor.process.child import Child
from supervisor.process.reap import Forest
from supervisor.process.spawn import ChildSpec, marker, spawn


class Started(NamedTuple):
    """A child that has just been spawned, and what it was spawned with."""

    child: Child
    launch: Launch
    at: float
    """On the clock, just before the spawn."""
    seconds: float
    """How long the spawn took."""


class Launcher:
    def __init__(
        self,
        plan: Plan,
        claim: InstanceClaim,
        reservations: Iterable[Reservation],
        *,
        forest: Forest,
        data_dir: Path,
        environ: Mapping[str, str],
        clock: Clock,
        terminal_size: Callable[[], os.terminal_size],
    ) -> None:
        """`terminal_size`: of the terminal that a service with `tty` gets."""
        self.plan = plan
        self._claim = claim
        self._common: Common | None = None
        self._claimed: dict[str, dict[str, int]] = {unit.name: {} for unit in plan.units}
        for reservation in reservations:
            self.note(reservation)
        self._forest = forest
        self._data_dir = data_dir
        self._environ = environ
        self._clock = clock
        self._terminal_size = terminal_size

    @property
    def claimed(self) -> Mapping[str, Mapping[str, int]]:
        """The ports that every service has, or had last."""
        return self._claimed

    def note(self, reservation: Reservation) -> None:
        """A port was claimed: from now on, children are told this one."""
        self._claimed[reservation.service][reservation.pool.name] = reservation.port
        self._common = None

    def adopt_plan(self, plan: Plan) -> None:
        """Another set of services, or of variables. Ports stay as they are noted."""
        self.plan = plan
        for unit in plan.units:
            self._claimed.setdefault(unit.name, {})
        self._common = None

    def keep_pools(self, unit: UnitPlan) -> None:
        """The service has no other pools any more."""
        pools = {pool.name for pool in unit.pools}
        self._claimed[unit.name] = {n: p for n, p in self._claimed[unit.name].items() if n in pools}
        self._common = None

    def drop(self, service: str) -> None:
        """The service is no more."""
        del self._claimed[service]
        self._common = None

    def prepare(self, unit: UnitPlan) -> Launch:
        """Raises ConfigError if something that the command names isn't there."""
        if self._common is None:
            self._common = make_common(
                self.plan,
                self._claimed,
                instance_id=self._claim.record.instance_id,
                data_dir=self._data_dir,
                environ=self._environ,
            )
        return launch(self.plan, unit, self._common)

    def start(self, unit: UnitPlan, reservations: list[Reservation], extra: Mapping[str, str]) -> Started:
        """Spawn it; `extra` comes over its environment. Raises ConfigError or SpawnError."""
        prepared = self.prepare(unit)
        at = self._clock.now()
        spec = self._spec(unit, prepared, reservations, prepared.argv, extra)
        if unit.service.tty:
            spec = _with_terminal(spec, self._terminal_size())
        child = spawn(_with_socket(spec, unit.name, reservations))
        seconds = self._clock.now() - at
        self._forest.plant(unit.name, child, [_inode(r.lock.fd) for r in reservations])
        return Started(child, prepared, at, seconds)

    def run_ready_command(self, unit: UnitPlan, prepared: Launch, reservations: list[Reservation]) -> Child:
        """Spawn the command of `ready = { exec = … }` as a part of the unit's tree."""
        return spawn(self._spec(unit, prepared, reservations, prepared.ready.command, {}, shell=False))

    def _spec(
        self,
        unit: UnitPlan,
        prepared: Launch,
        reservations: list[Reservation],
        argv: tuple[str, ...],
        extra: Mapping[str, str],
        *,
        shell: bool | None = None,
    ) -> ChildSpec:
        return ChildSpec(
            unit=marker(self._claim.record.instance_id, unit.name),
            argv=argv,
            shell=unit.service.shell if shell is None else shell,
            cwd=prepared.cwd,
            env={**prepared.env, **extra},
            inherit=(self._claim.lock.fd, *(r.lock.fd for r in reservations)),
            program=(unit.service.command if argv is prepared.argv else unit.service.ready.command)[0],
        )


def _with_socket(spec: ChildSpec, service: str, reservations: Iterable[Reservation]) -> ChildSpec:
    """With the socket of the port on which we listen for it, if there is one."""
    listening = listening_of(reservations)
    if listening is None:
        return spec
    told = {variables.LISTEN_FDS: "1", variables.LISTEN_FDNAMES: service}
    return spec._replace(env={**spec.env, **told}, listening_fd=listening.fd)


def _with_terminal(spec: ChildSpec, size: os.terminal_size) -> ChildSpec:
    from supervisor.process.pty import USUAL_TERM

    return spec._replace(env={**spec.env, "TERM": spec.env.get("TERM") or USUAL_TERM}, terminal=size)


def _inode(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino
