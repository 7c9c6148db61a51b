"""What services' processes use: told apart, added up over looks, and measured on real ones."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pytest
from claims import dead_owner
from harness import no_descriptors, wait_until
from hypothesis import given
from hypothesis import strategies as st
from monitor_help import instance, service

from supervisor.monitor.usage import ServiceKey, Times, UsageMeter, grown, look, told_apart
from supervisor.platform import os_facts
from supervisor.platform.contract import Owner, Process
from supervisor.snapshot import InstanceSnapshot

A, B, C = (Owner(pid, 100) for pid in (1, 2, 3))


@pytest.mark.parametrize(
    ("before", "now", "spent"),
    [
        pytest.param({}, {A: Times(2, 3)}, 5, id="the first look counts all"),
        pytest.param({A: Times(2, 3)}, {A: Times(2.5, 3)}, 0.5, id="one goes on"),
        pytest.param({A: Times(1, 0)}, {A: Times(1, 0), B: Times(4, 0)}, 4, id="a new one"),
        pytest.param({A: Times(1, 0), B: Times(4, 0)}, {A: Times(1, 4.5)}, 0.5, id="reaped by its parent"),
        pytest.param({A: Times(1, 0), B: Times(4, 0)}, {A: Times(1.5, 0)}, 0.5, id="reaped by nobody here"),
        pytest.param({A: Times(1, 0)}, {A: Times(1, 7)}, 7, id="came and went between two looks"),
        pytest.param({A: Times(9, 9)}, {B: Times(0.5, 0)}, 0.5, id="the child was restarted"),
        pytest.param({A: Times(9, 9)}, {}, 0, id="all are gone"),
        pytest.param({A: Times(9, 9)}, {A._replace(started=200): Times(1, 0)}, 1, id="a recycled pid"),
        pytest.param({A: Times(2, 0)}, {A: Times(1.99, 0)}, 0, id="a clock that was rounded down"),
    ],
)
def test_what_was_spent_between_two_looks(
    before: dict[Owner, Times], now: dict[Owner, Times], spent: float
) -> None:
    """Never less than nothing, and what was counted of a process isn't counted again with its parent."""
    assert grown(before, now) == pytest.approx(spent)


class Tree:
    """Processes as the kernel accounts for them, in whole seconds."""

    def __init__(self) -> None:
        self.live: dict[Owner, Times] = {A: Times(0, 0)}
        self.parents: dict[Owner, Owner | None] = {A: None}
        self.spent = 0
        self.lost = 0

    def do(self, what: str, which: int, seconds: int) -> None:
        one = sorted(self.live)[which % len(self.live)]
        if what == "spend":
            self.live[one] = self.live[one]._replace(own=self.live[one].own + seconds)
            self.spent += seconds
        elif what == "fork":
            new = Owner(len(self.parents) + 1, 100)
            self.live[new], self.parents[new] = Times(0, 0), one
        elif one != A:
            self._end(one, reaped=what == "exit")

    def _end(self, one: Owner, *, reaped: bool) -> None:
        total, parent = sum(self.live.pop(one)), self.parents[one]
        if reaped and parent in self.live:
            self.live[parent] = self.live[parent]._replace(reaped=self.live[parent].reaped + total)
        else:
            self.lost += int(total)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["spend", "fork", "exit", "vanish", "look"]), st.integers(0, 9), st.integers(1, 9)
        )
    )
)
def test_nothing_is_counted_twice(steps: list[tuple[str, int, int]]) -> None:
    """However processes come and go: all of it where each is waited for by one that lives, and never more."""
    tree, total = Tree(), 0.0
    before: dict[Owner, Times] = {}
    for what, which, seconds in [*steps, ("look", 0, 0)]:
        if what == "look":
            total += grown(before, tree.live)
            before = dict(tree.live)
            assert total <= tree.spent
        else:
            tree.do(what, which, seconds)
    assert tree.lost or total == tree.spent


SUPERVISOR = 10
TICKS = os_facts.TICKS_PER_SECOND


def process(pid: int, ppid: int, *, sid: int | None = None, started: int = 1000) -> Process:
    return Process(pid, ppid, pid, pid if sid is None else sid, "S", started)


class Told(NamedTuple):
    what: str
    table: Sequence[Process]
    web: set[int]
    supervisor_started: float = 1000 / TICKS
    known: Sequence[Process] = ()


@pytest.mark.parametrize(
    "told",
    [
        Told(
            "child and descendants", [process(20, SUPERVISOR), process(21, 20), process(22, 21)], {20, 21, 22}
        ),
        Told(
            "an adopted one of its session",
            [process(20, SUPERVISOR), process(30, SUPERVISOR, sid=20)],
            {20, 30},
        ),
        Told("one of the session of a child that ended", [process(30, SUPERVISOR, sid=20)], {30}),
        Told("an orphan that carries nothing", [process(20, SUPERVISOR), process(30, SUPERVISOR)], {20}),
        Told("one that was seen before", [process(30, SUPERVISOR)], {30}, known=[process(30, 20)]),
        Told("whose pid is recycled", [process(30, SUPERVISOR)], set(), known=[process(30, 20, started=900)]),
        Told("a child's pid that is another's", [process(20, 1), process(21, 20)], set()),
        Told(
            "a supervisor's pid that is another's", [process(20, SUPERVISOR)], set(), supervisor_started=7.0
        ),
        Told(
            "a look so long that it shows a circle",
            [process(SUPERVISOR, 21), process(20, SUPERVISOR), process(21, 20)],
            {SUPERVISOR, 20, 21},
        ),
    ],
    ids=lambda told: told.what,
)
def test_whose_processes_are_told(told: Told) -> None:
    """By what stands below the supervisor, whom the snapshot names with its start."""
    table = {one.pid: one for one in [process(SUPERVISOR, 1), *told.table]}
    seen = instance(
        service("web", pid=20), supervisor_pid=SUPERVISOR, supervisor_started=told.supervisor_started
    )
    key = ServiceKey(seen.instance_id, "web")
    found = told_apart([seen], table, {(seen.instance_id, one.owner): key for one in told.known})
    assert {one.pid for one in found.get(key, ())} == told.web


BURNS = """
import os, sys, time
for line in sys.stdin:
    until = time.process_time() + float(line)
    while time.process_time() < until:
        pass
    print("burnt", flush=True)
"""


@contextlib.contextmanager
def burner() -> Iterator[subprocess.Popen[str]]:
    """A child of this process, which spends the seconds that it is told."""
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", BURNS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def burn(child: subprocess.Popen[str], seconds: float) -> None:
    assert child.stdin is not None and child.stdout is not None
    child.stdin.write(f"{seconds}\n")
    child.stdin.flush()
    assert child.stdout.readline() == "burnt\n"


def ours(**pids: int) -> InstanceSnapshot:
    """An instance of which this process is the supervisor, and whose services have those children."""
    me = os_facts.owner(os.getpid())
    assert me is not None
    services = [service(name, pid=pid) for name, pid in pids.items()]
    return instance(*services, supervisor_pid=me.pid, supervisor_started=round(me.started / TICKS, 2))


def test_real_processes_over_looks() -> None:
    """Two services apart; the second look tells a share, and a restart takes nothing from the seconds."""
    meter = UsageMeter()
    with burner() as web, burner() as db:
        burn(web, 0.1)
        first = {key.name: usage for key, usage in meter.measure([ours(web=web.pid, db=db.pid)]).items()}
        burn(web, 0.2)
        second = {key.name: usage for key, usage in meter.measure([ours(web=web.pid, db=db.pid)]).items()}
    assert first["web"].cpu is None and first["web"].cpu_seconds > 0.07
    assert second["web"].cpu_seconds >= first["web"].cpu_seconds + 0.15
    assert second["web"].cpu is not None and 0.01 < second["web"].cpu < 1.5
    assert second["db"].cpu is not None and second["db"].cpu < second["web"].cpu
    assert all(usage.processes == 1 and usage.memory > 1_000_000 for usage in second.values())
    assert meter.measure([ours(web=web.pid, db=db.pid)]) == {}, "nobody is left"
    with burner() as again:
        (usage,) = meter.measure([ours(web=again.pid)]).values()
        assert usage.cpu_seconds >= second["web"].cpu_seconds
        assert usage.cpu is not None and usage.cpu >= 0
        meter.measure([])
        (forgotten,) = meter.measure([ours(web=again.pid)]).values()
    assert forgotten.cpu is None and forgotten.cpu_seconds < 0.1, "a new instance begins anew"


def test_who_is_found_late_makes_no_wild_share() -> None:
    """What it has spent before the last look counts among the seconds alone."""
    meter = UsageMeter()
    with burner() as web, burner() as late:
        burn(late, 0.3)
        meter.measure([ours(web=web.pid)])
        meter.measure([ours(web=web.pid)])
        (usage,) = meter.measure([ours(web=late.pid)]).values()
    assert usage.cpu_seconds > 0.25
    assert usage.cpu is not None and usage.cpu < 5


def test_who_is_gone_or_another_is_left_out() -> None:
    """A pid that names nobody, and one that names somebody else than the look at all processes has seen."""
    gone = dead_owner()
    with burner() as child:
        real = os_facts.process(child.pid)
        assert real is not None
        seen = [real._replace(pid=gone.pid), real._replace(started=real.started - 1), real]
        assert [owner for owner, _ in look(seen)] == [real.owner]


def test_one_that_ends_while_it_is_looked_at() -> None:
    """The others are measured all the same."""
    with burner() as first, burner() as last:
        seen = [os_facts.process(child.pid) for child in (first, last)]
        assert seen[0] is not None and seen[1] is not None
        looking = look(one for one in seen if one is not None)
        assert next(looking)[0] == seen[0].owner
        last.kill()
        wait_until(lambda: last.poll() is not None, 10, "the end of the last")
        assert list(looking) == []


def test_an_instance_within_a_service_of_another() -> None:
    """Its processes are its own services', and also the outer service's: they are below it."""
    outer = instance(service("runs", pid=20), supervisor_pid=SUPERVISOR, supervisor_started=1000 / TICKS)
    inner = instance(
        service("web", pid=40),
        instance_id="inner-1-abc123",
        supervisor_pid=30,
        supervisor_started=1000 / TICKS,
    )
    found = [
        process(SUPERVISOR, 1),
        process(20, SUPERVISOR),
        process(30, 20),
        process(40, 30),
        process(41, 30),
    ]
    runs, web = ServiceKey(outer.instance_id, "runs"), ServiceKey(inner.instance_id, "web")
    orphan = found[-1].owner
    known = {(outer.instance_id, orphan): runs, (inner.instance_id, orphan): web}
    told = told_apart([outer, inner], {one.pid: one for one in found}, known)
    assert {key: sorted(one.pid for one in told[key]) for key in told} == {
        runs: [20, 30, 40, 41],
        web: [40, 41],
    }


def test_a_look_without_descriptors_is_none() -> None:
    """It is an error, and what was counted before it isn't counted anew after it."""
    meter = UsageMeter()
    with burner() as child:
        burn(child, 0.1)
        seen = [ours(web=child.pid)]
        (before,) = meter.measure(seen).values()
        with no_descriptors(), pytest.raises(OSError, match="Too many open files"):
            meter.measure(seen)
        real = os_facts.process(child.pid)
        assert real is not None
        with no_descriptors(), pytest.raises(OSError, match="Too many open files"):
            list(look([real]))
        (after,) = meter.measure(seen).values()
    assert after.cpu is not None and after.cpu < 0.5
    assert before.cpu_seconds <= after.cpu_seconds < before.cpu_seconds + 0.05
