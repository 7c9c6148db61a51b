"""Whose process is it: real orphans that carry little, and less."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from process_help import alive, daemoniser, ended, pid_in, spec, until

from supervisor.platform import os_facts
from supervisor.platform.contract import Owner, Process
from supervisor.process.child import Child
from supervisor.process.reap import Forest
from supervisor.process.spawn import marker, spawn

INSTANCE = "test-1-abc"


class Grove:
    """A forest below this very process, with what a supervisor does beside it."""

    def __init__(self, folder: Path) -> None:
        self.forest = Forest(INSTANCE)
        self.children: list[Child] = []
        self._folder = folder
        self._before = frozenset(os_facts.children(os.getpid()))

    def start(self, unit: str, *flags: str, instance: str = INSTANCE) -> Child:
        """A daemonising service with a lock, planted; its pids are in the folder `unit`."""
        folder = self._folder / unit
        folder.mkdir()
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        try:
            command = daemoniser(folder, *flags)
            child = spawn(spec(*command, unit=marker(instance, unit), inherit=(lock,)))
            self.children.append(child)
            held = os.fstat(lock)
            self.forest.plant(unit, child, [(held.st_dev, held.st_ino)])
        finally:
            os.close(lock)
        return child

    def pid(self, unit: str, name: str = "worker") -> int:
        return pid_in(self._folder / unit / name)

    def end_leader(self, child: Child) -> None:
        os.kill(child.owner.pid, signal.SIGKILL)
        ended(child)

    def unit_of(self, pid: int) -> str | None:
        """As a look at everyone tells; fails if nobody of this pid lives below us."""
        units = self.forest.look()
        return next(unit for unit, members in units.items() if pid in {member.pid for member in members})

    def end(self) -> None:
        while left := self._started():
            for process in left:
                os_facts.send_signal(process.owner, signal.SIGKILL)
            for child in self.children:
                child.poll()
            self.forest.reap_orphans(self._before)
        for child in self.children:
            child.close()

    def _started(self) -> list[Process]:
        everyone = [process for members in self.forest.look().values() for process in members]
        return [process for process in everyone if process.pid not in self._before]


@pytest.fixture
def grove(tmp_path: Path) -> Iterator[Grove]:
    os_facts.become_subreaper()
    planted = Grove(tmp_path)
    yield planted
    planted.end()


@pytest.mark.parametrize(
    "flags",
    [
        pytest.param(("--empty-env", "--close"), id="session"),
        pytest.param(("--session", "--close"), id="marker"),
        pytest.param(("--session", "--empty-env"), id="lock"),
    ],
)
def test_an_orphan_is_told_by_the_one_thing_that_it_kept(grove: Grove, flags: tuple[str, ...]) -> None:
    """Nobody looked while its ancestors lived, and the other units' orphans don't get mixed up with it."""
    units = ("api", "web", "worker")
    pids = {}
    for unit in units:
        leader = grove.start(unit, *flags)
        pids[unit] = grove.pid(unit)
        grove.end_leader(leader)
    assert {unit: grove.unit_of(pids[unit]) for unit in units} == {unit: unit for unit in units}
    for unit in units:
        assert [member.pid for member in grove.forest.members(unit)] == [pids[unit]]


BARE = ("--session", "--empty-env", "--close")


def test_an_orphan_that_kept_nothing_is_told_by_its_last_known_ancestor(grove: Grove) -> None:
    """It was seen below its unit before its parents went."""
    leader = grove.start("web", *BARE, "--keep-middle")
    worker, middle = grove.pid("web"), grove.pid("web", "middle")
    assert grove.unit_of(worker) == "web"
    os.kill(middle, signal.SIGKILL)
    grove.end_leader(leader)
    until(lambda: worker in os_facts.children(os.getpid()))
    assert grove.unit_of(worker) == "web"
    assert [member.pid for member in grove.forest.members("web")] == [worker]


def test_an_orphan_that_cannot_be_told_is_the_instances(grove: Grove) -> None:
    """It is found all the same, so that it can be ended with the instance."""
    leader = grove.start("web", *BARE)
    worker = grove.pid("web")
    grove.end_leader(leader)
    assert grove.unit_of(worker) is None
    assert worker in [member.pid for member in grove.forest.members(None)]
    assert grove.forest.members("web") == []


def test_another_instances_marker_is_none_of_ours(grove: Grove) -> None:
    """An instance that runs below a service of this one doesn't lend its units' names."""
    leader = grove.start("web", "--session", "--close", instance="other-1-def")
    worker = grove.pid("web")
    grove.end_leader(leader)
    assert grove.unit_of(worker) is None


def test_everyone_below_an_orphan_is_its_units(grove: Grove) -> None:
    """A process without any sign of its own inherits its parent's unit."""
    leader = grove.start("web", *BARE, "--keep-middle")
    worker, middle = grove.pid("web"), grove.pid("web", "middle")
    grove.end_leader(leader)
    until(lambda: middle in os_facts.children(os.getpid()))
    assert {grove.unit_of(middle), grove.unit_of(worker)} == {"web"}


def test_a_recycled_session_number_is_not_taken_for_the_old_one(grove: Grove) -> None:
    """The unit's child had this pid once; whoever made the session with that number now is another."""
    leader = grove.start("web", *BARE, "--keep-middle")
    worker, middle = os_facts.process(grove.pid("web")), grove.pid("web", "middle")
    assert worker is not None
    with subprocess.Popen(["/bin/true"]) as process:
        gone = Child(process, -1, -1)
        gone.owner = Owner(worker.pid, worker.started - 1)
        gone.poll()
    assert gone.reaped
    grove.forest.plant("old", gone, [])
    os.kill(middle, signal.SIGKILL)
    grove.end_leader(leader)
    until(lambda: worker.pid in os_facts.children(os.getpid()))
    assert grove.unit_of(worker.pid) is None


def test_the_dead_are_not_members_and_are_forgotten(grove: Grove) -> None:
    """Neither zombies nor anything that was known of them stays, however many come and go."""
    leader = grove.start("web", "--session")
    worker = grove.pid("web")
    assert {member.pid for member in grove.forest.members("web")} == {leader.owner.pid, worker}
    os.kill(worker, signal.SIGKILL)
    os.kill(leader.owner.pid, signal.SIGKILL)
    until(lambda: not alive(worker) and not alive(leader.owner.pid))
    assert grove.forest.members("web") == []
    assert {worker, leader.owner.pid} <= set(os_facts.children(os.getpid()))
    ended(leader)
    grove.forest.reap_orphans(frozenset())
    assert "web" not in grove.forest.look()
    assert (grove.forest._known, grove.forest._leaders) == ({}, {})


def test_orphans_are_reaped_and_others_left_to_their_waiters(grove: Grove) -> None:
    """A dead child that has a waiter of its own keeps its status for it."""
    leader = grove.start("web")
    worker = grove.pid("web")
    for pid in (worker, leader.owner.pid):
        os.kill(pid, signal.SIGKILL)
        until(lambda pid=pid: not alive(pid))  # type: ignore[misc]
    grove.forest.reap_orphans(frozenset({leader.owner.pid}))
    assert worker not in os_facts.children(os.getpid())
    assert ended(leader).signal == signal.SIGKILL


def test_a_tree_that_keeps_moving_is_never_taken_for_empty(grove: Grove) -> None:
    """Each process forks its successor and exits at once: at any time somebody lives, and is found."""
    hop = "import os, time\nwhile True:\n    if os.fork(): os._exit(0)\n    time.sleep(0.001)"
    child = spawn(spec("python3", "-I", "-S", "-c", hop, unit=marker(INSTANCE, "hop")))
    grove.children.append(child)
    grove.forest.plant("hop", child, [])
    ended(child)
    found = 0
    for _ in range(300):
        found += bool(grove.forest.members("hop"))
        grove.forest.reap_orphans(grove._before)
    assert found == 300
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.owner.pid, signal.SIGKILL)
