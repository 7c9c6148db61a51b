"""Events to spans: by tables, with histories that lack something, and with any events at all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.monitor.events import Event
from supervisor.telemetry.spans import (
    END_UNSEEN,
    JUST_BEFORE,
    MOMENTS_MAX,
    NEVER_READY,
    STATES,
    TIME_MAX,
    UNFINISHED,
    Span,
    Trace,
    nanoseconds,
)

MS = 1_000_000


def happened(at: int, kind: str, service: str | None = None, **fields: Any) -> Event:
    """`at`: milliseconds. A state has a reason, if only None."""
    state = kind.removeprefix("unit.")
    if state in STATES and not fields.pop("child", False):
        fields = {"reason": None, "port": 6000, **fields}
    return Event(
        at / 1000, "info", kind, fields.pop("message", f"{kind} told"), "test-1-abc", service, fields
    )


CLAIMED = happened(100, "instance.claimed", pid=7, ports={"a.port": 6000})
READY = happened(900, "instance.ready")
STARTED = (
    happened(200, "unit.starting", "a"),
    happened(250, "unit.spawned", "a", pid=41, port=6000, ports={"port": 6000, "admin": 6001}),
    happened(800, "unit.running", "a", pid=41),
)
CRASHED = (
    happened(2000, "unit.exited", "a", child=True),
    happened(2001, "unit.stopping", "a", pid=41, reason="ended with code 3"),
    happened(2010, "unit.backoff", "a", reason="ended with code 3; try 1 of 5 in 0.5 s"),
    happened(2510, "unit.pending", "a"),
    happened(2511, "unit.starting", "a"),
    happened(2520, "unit.spawned", "a", pid=42, port=6000),
)
AGAIN = happened(2700, "unit.running", "a", pid=42)
FAILED_AGAIN = (
    happened(2600, "unit.stopping", "a", pid=42, reason="ended with code 4"),
    happened(2610, "unit.fatal", "a", reason="ended with code 4; gave up after 1 restart in a row"),
)
BY_HAND = (
    happened(3000, "unit.stopping", "a", pid=41),
    happened(3100, "unit.exited", "a", child=True),
    happened(3101, "unit.pending", "a"),
    happened(3102, "unit.starting", "a"),
    happened(3200, "unit.running", "a", pid=43),
)
DOWN = (
    happened(9000, "instance.stopping", why="portsup down"),
    happened(9001, "unit.stopping", "a", pid=41),
    happened(9002, "unit.killed", "a"),
    happened(9003, "unit.exited", "a", child=True),
    happened(9100, "unit.stopped", "a"),
)


def spans_of(events: Iterable[Event], *, finished: bool = True) -> list[Span]:
    trace = Trace("one run")
    found = [span for event in events for span in trace.add(event)]
    return [*found, *(trace.finish() if finished else ())]


def drawn(spans: Sequence[Span]) -> list[tuple[str, str | None, int, int, str | None]]:
    """Name, parent's name, begin and end in milliseconds, and what went wrong."""
    names = {span.id: span.name for span in spans}
    return [
        (
            span.name,
            None if span.parent is None else names.get(span.parent, "unseen"),
            span.start // MS,
            span.end // MS,
            span.error,
        )
        for span in spans
    ]


UP = ("portsup up", None, 100, 900, None)
START = ("start a", "portsup up", 200, 800, None)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param((CLAIMED, *STARTED, READY), [START, UP], id="up"),
        pytest.param(
            (CLAIMED, *STARTED, READY, *CRASHED, AGAIN),
            [
                START,
                UP,
                ("stop a", "restart a", 2001, 2010, "ended with code 3"),
                ("start a", "restart a", 2511, 2700, None),
                ("restart a", "portsup up", 2001, 2700, None),
            ],
            id="crash and restart",
        ),
        pytest.param(
            (CLAIMED, *STARTED, READY, *CRASHED, *FAILED_AGAIN),
            [
                START,
                UP,
                ("stop a", "restart a", 2001, 2010, "ended with code 3"),
                ("start a", "restart a", 2511, 2600, "ended with code 4"),
                ("restart a", "portsup up", 2001, 2600, "ended with code 4"),
                ("stop a", "portsup up", 2600, 2610, "ended with code 4"),
            ],
            id="crash loop",
        ),
        pytest.param(
            (CLAIMED, *STARTED, READY, *BY_HAND),
            [
                START,
                UP,
                ("stop a", "restart a", 3000, 3101, None),
                ("start a", "restart a", 3102, 3200, None),
                ("restart a", "portsup up", 3000, 3200, None),
            ],
            id="restart by hand",
        ),
        pytest.param(
            (CLAIMED, *STARTED, READY, *DOWN),
            [
                START,
                UP,
                ("stop a", "stop instance", 9001, 9100, None),
                ("stop instance", "portsup up", 9000, 9100, None),
            ],
            id="down",
        ),
        pytest.param(
            (CLAIMED, STARTED[0], *DOWN),
            [
                ("portsup up", None, 100, 9000, NEVER_READY),
                ("start a", "portsup up", 200, 9001, None),
                ("stop a", "stop instance", 9001, 9100, None),
                ("stop instance", "portsup up", 9000, 9100, None),
            ],
            id="down while it starts",
        ),
        pytest.param(
            (
                CLAIMED,
                STARTED[0],
                happened(300, "unit.backoff", "a", reason="port 6000 is in use"),
                happened(400, "unit.pending", "a"),
                happened(401, "unit.starting", "a"),
                happened(500, "unit.running", "a"),
            ),
            [
                ("start a", "portsup up", 200, 300, "port 6000 is in use"),
                ("start a", "restart a", 401, 500, None),
                ("restart a", "portsup up", 300, 500, None),
                ("portsup up", None, 100, 500, UNFINISHED),
            ],
            id="its port is occupied",
        ),
        pytest.param(
            (CLAIMED, STARTED[0], happened(210, "unit.fatal", "a", reason="cannot run nosuch")),
            [
                ("start a", "portsup up", 200, 210, "cannot run nosuch"),
                ("portsup up", None, 100, 210, "a: cannot run nosuch"),
            ],
            id="it can't be spawned",
        ),
        pytest.param(
            (
                CLAIMED,
                *STARTED,
                READY,
                happened(1000, "unit.exited", "a", child=True),
                happened(1001, "unit.stopping", "a", reason="ended with code 0"),
                happened(1002, "unit.exited", "a", reason="ended with code 0"),
            ),
            [START, UP, ("stop a", "portsup up", 1001, 1002, None)],
            id="a job that has done its work",
        ),
        pytest.param(
            (CLAIMED, *CRASHED[1:3], happened(2100, "unit.stopped", "a")),
            [
                ("stop a", "restart a", 2001, 2010, "ended with code 3"),
                ("restart a", "portsup up", 2001, 2100, None),
                ("portsup up", None, 100, 2100, UNFINISHED),
            ],
            id="stopped while it waits",
        ),
        pytest.param(
            (CLAIMED, STARTED[0], happened(300, "instance.failed", message="a failed and nothing else runs")),
            [
                ("portsup up", None, 100, 300, "a failed and nothing else runs"),
                ("start a", "portsup up", 200, 300, UNFINISHED),
            ],
            id="the supervisor is gone",
        ),
        pytest.param((AGAIN, READY), [], id="only what was begun"),
        pytest.param(
            (*STARTED[2:], *CRASHED, AGAIN),
            [
                ("stop a", "restart a", 2001, 2010, "ended with code 3"),
                ("start a", "restart a", 2511, 2700, None),
                ("restart a", "unseen", 2001, 2700, None),
            ],
            id="a log whose beginning is gone",
        ),
        pytest.param(
            (
                CLAIMED,
                happened(150, "unit.starting", "a"),
                *STARTED,
                READY,
                happened(2900, "unit.stopping", "a"),
                *BY_HAND[:2],
                *BY_HAND[3:],
            ),
            [
                ("start a", "portsup up", 150, 200, END_UNSEEN),
                START,
                UP,
                ("stop a", "portsup up", 2900, 3000, END_UNSEEN),
                ("stop a", "portsup up", 3000, 3102, END_UNSEEN),
                ("start a", "portsup up", 3102, 3200, None),
            ],
            id="a log that lacks lines",
        ),
        pytest.param(
            (happened(500, "unit.starting", "a"), happened(400, "unit.running", "a")),
            [("start a", "unseen", 500, 500, None)],
            id="the clock was put back",
        ),
        pytest.param(
            (CLAIMED, happened(150, "unit.rejoices", "a"), happened(160, "nonsense"), *STARTED, READY),
            [START, UP],
            id="unknown events",
        ),
    ],
)
def test_histories(events: Sequence[Event], expected: list[Any]) -> None:
    """Each span with its parent, its bounds and its outcome, in the order in which they end."""
    spans = spans_of(events)
    assert drawn(spans) == expected
    assert len({span.id for span in spans}) == len(spans)


def test_what_a_start_says() -> None:
    """Process, ports, what was told shortly before and meanwhile; and that it belongs to the start."""
    passed_over = happened(190, "port.passed_over", "a", message="6000 is taken")
    start, root, later = spans_of((CLAIMED, passed_over, *STARTED, READY, *CRASHED, AGAIN))[:3]
    assert start.attributes == {
        "portsup.service": "a",
        "portsup.state": "RUNNING",
        "process.pid": 41,
        "server.port": 6000,
        "portsup.port.admin": 6001,
    }
    assert start.moments == (
        (190 * MS, "port.passed_over", "6000 is taken"),
        (250 * MS, "unit.spawned", "unit.spawned told"),
    )
    assert root.attributes == {"process.pid": 7}
    assert (start.of_start, root.of_start, later.of_start) == (True, True, False)


def test_what_a_stop_says() -> None:
    """Why the instance was stopped, and who had to be killed; a restart why it was one."""
    *_, restart, stop, whole = spans_of((CLAIMED, *STARTED, READY, *CRASHED, AGAIN, *DOWN))
    assert restart.attributes["portsup.reason"] == "ended with code 3; try 1 of 5 in 0.5 s"
    assert restart.attributes["process.pid"] == 42
    assert [moment.name for moment in stop.moments] == ["unit.killed", "unit.exited"]
    assert stop.attributes["portsup.state"] == "STOPPED"
    assert whole.attributes == {"portsup.why": "portsup down"}


def test_a_lost_shield_is_told_in_the_stop_that_follows() -> None:
    """The event comes before the span; one that came long before has nothing to do with it."""
    long_ago = happened(1999 - JUST_BEFORE // MS, "unit.log", "a")
    lost = happened(1999, "unit.shield_lost", "a", message="python3 (pid 3) listens on 6000 too")
    stopping = happened(2000, "unit.stopping", "a", reason="shield lost: python3 listens on 6000 too")
    fatal = happened(2100, "unit.fatal", "a", reason="shield lost: python3 listens on 6000 too")
    (*_, stop) = spans_of((CLAIMED, *STARTED, READY, long_ago, lost, stopping, fatal))
    assert stop.error == "shield lost: python3 listens on 6000 too"
    assert stop.moments == ((1999 * MS, "unit.shield_lost", "python3 (pid 3) listens on 6000 too"),)


def test_what_the_instance_itself_says() -> None:
    """Its warnings belong to the root while that lasts, and to the stop in the end."""
    warning, killing = happened(150, "config.warning"), happened(9002, "instance.killing")
    spans = {span.name: span for span in spans_of((CLAIMED, warning, *STARTED, READY, *DOWN, killing))}
    assert [moment.name for moment in spans["portsup up"].moments] == ["config.warning"]
    assert [moment.name for moment in spans["stop instance"].moments] == ["instance.killing"]


def test_ids_are_the_same_for_all_who_read() -> None:
    """Also for one that begins late; and those of another run are others."""
    history = (CLAIMED, *STARTED, READY, *CRASHED, AGAIN)
    late = spans_of(history[5:])
    assert [(span.id, span.parent) for span in late] == [
        (span.id, span.parent) for span in spans_of(history)[2:]
    ]
    other = Trace("another run")
    assert other.id != Trace("one run").id
    assert {span.id for event in history for span in other.add(event)}.isdisjoint(span.id for span in late)


def test_moments_are_bounded() -> None:
    """However much is told while something lasts."""
    told = [happened(300 + number, "unit.shield", "a") for number in range(2 * MOMENTS_MAX)]
    (start,) = spans_of((STARTED[0], *told, STARTED[2]))
    assert len(start.moments) == MOMENTS_MAX
    assert start.moments[-1].time == told[-1].time * 1000 * MS


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (1764.2004, 1_764_200_000_000),
        (-1.0, 0),
        (float("nan"), 0),
        (float("inf"), TIME_MAX),
        (1e30, TIME_MAX),
    ],
)
def test_times_that_can_be_sent(seconds: float, expected: int) -> None:
    """To the millisecond, and within what a span's time can be."""
    assert nanoseconds(seconds) == expected


KINDS = sorted(
    {f"unit.{state}" for state in STATES}
    | {"unit.spawned", "unit.killed", "unit.shield_lost", "unit.nonsense", "port.passed_over"}
    | {f"instance.{what}" for what in ("claimed", "ready", "stopping", "failed", "killing")}
)
ANY_VALUE = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.floats()
    | st.dictionaries(st.text(), st.integers())
)
ANY_EVENT = st.builds(
    Event,
    time=st.floats() | st.integers(0, 10_000).map(lambda ms: ms / 1000),
    level=st.sampled_from(["debug", "info", "warning", "error"]),
    kind=st.sampled_from(KINDS) | st.text(),
    message=st.text(st.characters()),
    instance_id=st.just("test-1-abc"),
    service=st.none() | st.sampled_from(["a", "b", "\ud800"]),
    fields=st.dictionaries(st.sampled_from(["pid", "port", "ports", "reason", "why", "x"]), ANY_VALUE),
)


@settings(max_examples=50)
@given(st.lists(ANY_EVENT, max_size=40))
def test_any_events_give_spans_that_can_be_sent(events: list[Event]) -> None:
    """Nothing is raised, no span ends before it began, and all texts and numbers can be encoded."""
    for span in spans_of(events):
        assert 0 <= span.start <= span.end <= TIME_MAX
        assert 0 < span.id < 2**64
        texts = [span.name, span.error or "", *span.attributes, *map(str, span.attributes.values())]
        texts += [text for moment in span.moments for text in (moment.name, moment.message)]
        assert all(text.encode() is not None for text in texts)
        assert all(0 <= moment.time <= TIME_MAX for moment in span.moments)
        numbers = [value for value in span.attributes.values() if isinstance(value, int)]
        assert all(0 < number < 2**31 for number in numbers)
