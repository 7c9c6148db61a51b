"""Ending trees of real processes."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from process_help import alive, daemoniser, ended, pid_in, spec, until

from supervisor.config.model import Stop, StopMode
from supervisor.platform import os_facts
from supervisor.process.child import Child
from supervisor.process.reap import Forest
from supervisor.process.spawn import marker, spawn
from supervisor.process.stop import ask, kill, remaining

UNIT = "web"


class Unit:
    """A child that is planted in a forest of its own."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self.forest = Forest("stop-1-abc")
        self.folder = folder
        self.child: Child = spawn(spec(*daemoniser(folder, *flags), unit=marker("stop-1-abc", UNIT)))
        self.forest.plant(UNIT, self.child, [])
        self.worker = pid_in(folder / "worker")
        pid_in(folder / "leader")

    def got_term(self, name: str) -> bool:
        return (self.folder / f"{name}.TERM").exists()

    def ask(self, mode: StopMode) -> None:
        ask(self.child, self.forest, UNIT, Stop(mode=mode))

    def remaining(self, mode: StopMode) -> set[int]:
        """As a supervisor asks: it reaps what has died before it looks."""
        self.child.poll()
        self.forest.reap_orphans(frozenset({self.child.owner.pid}))
        return {process.pid for process in remaining(self.child, self.forest, UNIT, mode)}

    def kill_all(self, mode: StopMode) -> None:
        def nobody_left() -> bool:
            kill(self.child, self.forest, UNIT, mode)
            return not self.remaining(mode)

        until(nobody_left)

    def end(self) -> None:
        self.kill_all(StopMode.TREE)
        self.child.close()


@pytest.fixture
def units(tmp_path: Path) -> Iterator[list[Unit]]:
    os_facts.become_subreaper()
    started: list[Unit] = []
    yield started
    for unit in started:
        unit.end()


@pytest.fixture
def stubborn(units: list[Unit], tmp_path: Path) -> Unit:
    """Leader and worker ignore TERM; the worker has left the leader's session."""
    units.append(Unit(tmp_path, "--session", "--ignore-term"))
    return units[0]


def test_the_stop_signal_goes_to_the_group(units: list[Unit], tmp_path: Path) -> None:
    """A worker in the child's group is asked as well."""
    units.append(unit := Unit(tmp_path))
    unit.ask(StopMode.TREE)
    until(lambda: not unit.remaining(StopMode.TREE))
    assert unit.got_term("leader")
    assert unit.got_term("worker")
    assert ended(unit.child).code == 0


def test_the_group_is_asked_after_its_leader_is_gone(units: list[Unit], tmp_path: Path) -> None:
    """The group's number isn't trusted any more then; its members are asked one by one."""
    units.append(unit := Unit(tmp_path, "--leader-exits"))
    ended(unit.child)
    unit.ask(StopMode.TREE)
    until(lambda: not unit.remaining(StopMode.TREE))
    assert unit.got_term("worker")


def test_mode_process_asks_and_awaits_the_child_alone(units: list[Unit], tmp_path: Path) -> None:
    """A worker in its group isn't asked, isn't waited for and isn't killed."""
    units.append(unit := Unit(tmp_path))
    assert unit.remaining(StopMode.PROCESS) == {unit.child.owner.pid}
    unit.ask(StopMode.PROCESS)
    until(lambda: not unit.remaining(StopMode.PROCESS))
    unit.ask(StopMode.PROCESS)
    assert kill(unit.child, unit.forest, UNIT, StopMode.PROCESS) == 0
    assert unit.got_term("leader")
    assert alive(unit.worker)
    assert not unit.got_term("worker")


def test_a_tree_that_ignores_term_is_killed(stubborn: Unit) -> None:
    """Also those who started a session of their own."""
    stubborn.ask(StopMode.TREE)
    assert stubborn.remaining(StopMode.TREE) == {stubborn.child.owner.pid, stubborn.worker}
    assert kill(stubborn.child, stubborn.forest, UNIT, StopMode.TREE) == 2
    until(lambda: not stubborn.remaining(StopMode.TREE))
    assert ended(stubborn.child).signal == signal.SIGKILL
    assert not alive(stubborn.worker)


def test_mode_group_spares_who_left_the_group(stubborn: Unit) -> None:
    """That is what the mode is for: a daemon that outlives the service on purpose."""
    assert stubborn.remaining(StopMode.GROUP) == {stubborn.child.owner.pid}
    stubborn.kill_all(StopMode.GROUP)
    assert ended(stubborn.child).signal == signal.SIGKILL
    assert alive(stubborn.worker)


def test_the_child_remains_until_it_is_reaped(stubborn: Unit) -> None:
    """A zombie still has an exit status to be read; it isn't killed once more."""
    for mode in StopMode:
        kill(stubborn.child, stubborn.forest, UNIT, mode)
    until(lambda: not alive(stubborn.child.owner.pid))
    for mode in StopMode:
        left = remaining(stubborn.child, stubborn.forest, UNIT, mode)
        assert [process.pid for process in left if process.zombie] == [stubborn.child.owner.pid]
    until(lambda: kill(stubborn.child, stubborn.forest, UNIT, StopMode.TREE) == 0)
