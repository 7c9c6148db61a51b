"""A bug in one unit: the others are stopped all the same, and the whole ends in bounded time."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from supervisor.config.model import Service, Stop
from supervisor.errors import ExitCode, PortsupError
from supervisor.plan.plan import Plan, UnitPlan
from supervisor.platform import Process
from supervisor.supervise import supervisor as module
from supervisor.supervise.state import State
from supervisor.supervise.supervisor import Supervisor


class StandIn:
    """What a supervisor sees of a unit; stopped at once, or raising instead."""

    def __init__(self, name: str, *, broken: bool) -> None:
        self.name = name
        self.plan = UnitPlan(Service(name, ("x",), stop=Stop(timeout=0.01)), ())
        self.broken = broken
        self.state = State.RUNNING
        self.parked = self.is_off = self.failed = False
        self.satisfied = True
        self.watches_tree = True
        self.looks = 0
        self.waited_for: frozenset[int] = frozenset()

    @property
    def at_rest(self) -> bool:
        return self.state is State.STOPPED

    def stop(self) -> None:
        if self.broken:
            raise RuntimeError("a bug")
        self.state = State.STOPPED

    kill = stop

    def look_at_tree(self, members: Sequence[Process]) -> None:
        self.looks += 1
        if self.broken:
            raise RuntimeError("another bug")

    def close(self) -> None: ...


class Door:
    async def start(self) -> None: ...

    async def restore(self) -> bool:
        return False

    async def close(self) -> None: ...


class Events:
    def __init__(self) -> None:
        self.told: list[str] = []

    def info(self, event: str, message: str, **fields: Any) -> None:
        self.told.append(message)

    warning = error = detail = info


@pytest.fixture
def commands() -> Iterator[int]:
    read_end, write_end = os.pipe()
    yield read_end
    os.close(read_end)
    os.close(write_end)


def make(units: list[StandIn], commands: int) -> tuple[Supervisor, Events]:
    events = Events()
    forest = SimpleNamespace(
        reap_orphans=lambda _ours: None, members=lambda _unit: [], look=lambda _wanted: {}
    )
    lock = SimpleNamespace(intact=lambda: None)
    world = SimpleNamespace(events=events, forest=forest, claim=SimpleNamespace(lock=lock))
    plan = Plan(Path("/x"), "x", 1, 6000, {}, tuple(unit.plan for unit in units))
    by_name = {unit.name: unit for unit in units}
    link = SimpleNamespace(commands_fd=commands)
    supervisor = Supervisor(plan, cast(Any, by_name), cast(Any, world), cast(Any, link), stay=True)
    return supervisor, events


async def stopped(supervisor: Supervisor) -> int:
    asyncio.get_running_loop().call_soon(supervisor.stop, ExitCode.TERMINATED, "SIGTERM")
    return await asyncio.wait_for(supervisor.run(Door(), {}), 10)


def test_a_broken_unit(commands: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It can't be looked at or stopped: the others are, and then the supervisor gives up, for the guard to
    end it."""
    monkeypatch.setattr(module, "GIVE_UP_AFTER", 0.01)
    units = [StandIn("bad", broken=True), StandIn("good", broken=False)]
    supervisor, events = make(units, commands)
    with pytest.raises(PortsupError, match="internal error") as caught:
        asyncio.run(stopped(supervisor))
    assert caught.value.exit_code == 70
    assert units[1].at_rest
    assert units[1].looks == 1
    assert events.told.count("internal error in bad: RuntimeError: a bug") == 1
    assert events.told.count("internal error in bad: RuntimeError: another bug") == 1


def test_whole_units(commands: int) -> None:
    """Without a bug, nobody is given up."""
    supervisor, events = make([StandIn("a", broken=False), StandIn("b", broken=False)], commands)
    assert asyncio.run(stopped(supervisor)) == ExitCode.TERMINATED
    assert events.told[-1] == "stopping (SIGTERM)"


def test_a_lack_of_descriptors_is_no_bug(commands: int) -> None:
    """It is said once, however often it happens, and an instance isn't given up for it."""
    supervisor, events = make([], commands)
    for _ in range(3):
        supervisor.report_bug("the event loop", OSError(24, "Too many open files"))
    assert events.told == ["the event loop ran out of something: Too many open files"]
