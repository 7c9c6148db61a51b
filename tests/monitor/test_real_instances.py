"""Two real instances, looked at from outside: their pools, processes, events and lines."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

import pytest
from harness import (
    WAITS,
    Escapee,
    Home,
    Portsup,
    assert_nothing_left,
    escapee,
    foreigner,
    port_block,
    private_home,
    wait_until,
    write_stack,
)

from supervisor.errors import PortsupError, UsageError
from supervisor.monitor import instances
from supervisor.monitor.events import EventFollower
from supervisor.monitor.instances import Filter
from supervisor.monitor.pools import CellState, strips
from supervisor.monitor.service_log import LogFollower
from supervisor.monitor.usage import UsageMeter

SAYS = [sys.executable, "-I", "-S", "-c", "import signal; print('one\\ntwo', flush=True); signal.pause()"]


class Stage(NamedTuple):
    """Instance 1 with all services, instance 2 without the one that daemonises."""

    home: Home
    portsup: Portsup
    base: int
    shared: list[int]
    escapee: Escapee


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with port_block() as base, private_home() as home, escapee() as daemon:
        portsup = Portsup(home, tmp_path_factory.mktemp("stack"))
        shared = [base + 900 + place for place in range(3)]
        services = {"says": {"command": SAYS, "pool": {"ports": shared}}, "waits": {"command": WAITS}}
        flags = ("--leader-exits", "--session", "--listen", "${port}")
        daemons = {"daemon": daemon.service(*flags, pool={"offset": 0, "size": 2})}
        write_stack(portsup.cwd, {**daemons, **services}, base_port=base)
        assert portsup.run("up", "-d", "-i", "1", "--wait").returncode == 0
        write_stack(portsup.cwd, services, base_port=base)
        assert portsup.run("up", "-d", "-i", "2", "--wait").returncode == 0
        yield Stage(home, portsup, base, shared, daemon)
        assert portsup.run("down", "--all").returncode == 0
        assert_nothing_left(home, [base, *shared])


def test_strips_show_who_has_what(stage: Stage) -> None:
    """Each instance its own port, the other's as another's, and who else listens."""
    with foreigner(stage.shared[2]):
        found = strips(stage.home.locks, instances.snapshots(stage.home.locks))
    seen = {(strip.instance_id, strip.service): strip.cells for strip in found}
    one, two = (record.instance_id for record in instances.visible(stage.home.locks))
    assert [cell.state for cell in seen[one, "daemon"]] == [CellState.OURS, CellState.FREE]
    ours, other, foreign = CellState.OURS, CellState.OTHER, CellState.FOREIGN
    assert [cell.state for cell in seen[one, "says"]] == [ours, other, foreign]
    assert [cell.state for cell in seen[two, "says"]] == [other, ours, foreign]
    assert [cell.who for cell in seen[two, "says"]] == ["test 1 · says", "test 2 · says", None]


def test_a_daemonised_grandchild_counts_to_its_service(stage: Stage) -> None:
    """Its first process has ended, and it made a session of its own; those without a port count too."""
    daemon = stage.portsup.service(1, "daemon")
    assert daemon["pid"] != stage.escapee.pid("worker")
    meter = UsageMeter()
    for _ in range(2):
        measured = meter.measure(instances.snapshots(stage.home.locks))
        assert len(measured) == 5
        assert all(usage.processes == 1 and usage.memory > 1_000_000 for usage in measured.values())
    assert all(usage.cpu is not None for usage in measured.values())


def test_events_of_a_run(stage: Stage) -> None:
    """Those that the supervisor wrote, and what comes while they are followed."""
    record = instances.only(stage.home.locks, Filter(2))
    with closing(EventFollower(record)) as follower:
        found = follower.more()
        spawned = [(event.service, event.fields["port"]) for event in found if event.kind == "unit.spawned"]
        assert sorted(spawned, key=str) == [("says", stage.shared[1]), ("waits", None)]
        assert all(record.acquired_at - 1 < event.time for event in found)
        assert stage.portsup.run("restart", "waits", "-i", "2").returncode == 0
        kinds = {event.kind for event in follower.more() if event.service == "waits"}
    assert {"unit.exited", "unit.spawned", "unit.running"} <= kinds


def test_lines_of_a_service(stage: Stage) -> None:
    """With the times at which they were printed."""
    record = instances.only(stage.home.locks, Filter(1))
    with closing(LogFollower(record, "says", lines=1)) as follower:
        (line,) = wait_until(follower.more, 10)
    assert line.text == "two" and line.time is not None and line.time / 1000 >= record.acquired_at - 1


def test_the_one_that_is_meant(stage: Stage) -> None:
    """By number, stack or id; the hints are in the words of who asks."""
    locks = stage.home.locks
    one, _ = instances.visible(locks)
    for wanted in (Filter(1), Filter(1, "test"), Filter(instance_id=one.instance_id)):
        assert instances.only(locks, wanted) == one
    with pytest.raises(UsageError, match=r"there is no instance 7 of test with the id x$") as none:
        instances.only(locks, Filter(7, "test", "x"))
    assert none.value.hint == instances.HINTS.none
    with pytest.raises(PortsupError, match=r"there are 2 instances of test$") as several:
        instances.only(locks, Filter(stack="test"), instances.Hints("", "say which"))
    assert several.value.hint == "say which"
    assert any(one.instance_id in line for line in several.value.details)
