"""An event log as the one who follows it sees it: real files, as a supervisor writes them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from claims import NOBODY, instance_record, needs_root, open_descriptors
from hypothesis import given
from hypothesis import strategies as st

from supervisor import paths
from supervisor.config.model import LogLimits
from supervisor.monitor import events as followed
from supervisor.monitor.events import Event, EventFollower, parse
from supervisor.records import InstanceRecord
from supervisor.supervise import events
from supervisor.supervise.events import EventLog

RUN = "test-1-abc123"

LINE: dict[str, Any] = {
    "time": "2026-11-24T10:00:00.250Z",
    "level": "info",
    "event": "unit.spawned",
    "instance": 1,
    "instance_id": RUN,
    "service": "web",
    "pid": 7,
    "port": None,
    "message": "started, pid 7",
}


@pytest.fixture
def record(tmp_path: Path) -> InstanceRecord:
    return instance_record(instance_id=RUN, logs=str(tmp_path))


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    with closing(open_log(tmp_path)) as opened:
        yield opened


def open_log(folder: Path, run: str = RUN) -> EventLog:
    return EventLog(paths.event_log(folder), lambda *_: None, instance=1, instance_id=run)


def messages(follower: EventFollower) -> list[str]:
    """Everything that there is now."""
    return [event.message for event in follower.drain()]


def test_an_event_is_what_the_supervisor_wrote(record: InstanceRecord, log: EventLog) -> None:
    """With its service, its pid and its port where it has them, and what else it says among the fields."""
    log.info("unit.spawned", "started", service="web", pid=7, port=6000, ports={"port": 6000})
    log.detail("instance.up", "up")
    with closing(EventFollower(record)) as follower:
        spawned, up = follower.more()
    assert (spawned.level, spawned.kind, spawned.service) == ("info", "unit.spawned", "web")
    assert spawned.fields["ports"] == {"port": 6000}
    assert spawned.to_json()["pid"] == 7 and spawned.to_json()["port"] == 6000
    assert (up.level, up.service, up.to_json()["pid"]) == ("debug", None, None)
    assert json.loads(json.dumps(spawned.to_json()))["event"] == "unit.spawned"


def test_times_are_seconds_since_1970() -> None:
    """Whatever the zone of this machine."""
    event = parse(json.dumps(LINE).encode())
    assert event is not None and event.time == 1795514400.25


def test_followed_over_rotations(
    record: InstanceRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost or told twice while it is set aside again and again."""
    monkeypatch.setattr(events, "LIMITS", LogLimits(2000, 3))
    with closing(open_log(tmp_path)) as log, closing(EventFollower(record)) as follower:
        told = []
        for number in range(60):
            log.info("test", str(number))
            if number % 4 == 0:
                told += messages(follower)
        assert told + messages(follower) == [str(number) for number in range(60)]
        assert paths.rotated_log(paths.event_log(tmp_path), 2).exists()


def test_the_last_and_then_what_comes(record: InstanceRecord, log: EventLog) -> None:
    """As many as are wanted; none of them with 0."""
    for number in range(5):
        log.info("test", str(number))
    with closing(EventFollower(record, last=2)) as two, closing(EventFollower(record, last=0)) as none:
        assert messages(two) == ["3", "4"] and messages(none) == []
        log.info("test", "new")
        assert messages(two) == messages(none) == ["new"]


def test_another_runs_events_are_left_out(record: InstanceRecord, tmp_path: Path) -> None:
    """Those of the run before and of the one after it, which append to the same file."""
    for run in ("test-1-before", RUN, "test-1-after"):
        with closing(open_log(tmp_path, run)) as log:
            log.info("test", run)
    with closing(EventFollower(record)) as follower:
        assert messages(follower) == [RUN]


def test_a_torn_line_and_a_huge_one_are_passed_over(record: InstanceRecord, tmp_path: Path) -> None:
    """A line counts when it has its end; what is too long isn't kept until it has."""
    whole = json.dumps(LINE).encode()
    path = paths.event_log(tmp_path)
    path.write_bytes(whole[:40] + b"\n" + whole[:60])
    with closing(EventFollower(record)) as follower, path.open("ab", buffering=0) as file:
        assert messages(follower) == []
        file.write(whole[60:])
        assert messages(follower) == []
        file.write(b"\n" + json.dumps({**LINE, "message": "x" * followed.LONGEST_LINE}).encode())
        assert messages(follower) == ["started, pid 7"]
        file.write(b"\n" + whole + b"\n" + b"y" * (3 * followed.LONGEST_LINE))
        assert messages(follower) == ["started, pid 7"]
        file.write(b"\n\n" + whole + b"\n")
        assert messages(follower) == ["started, pid 7"]


def test_a_log_that_is_emptied_goes_on(record: InstanceRecord, tmp_path: Path) -> None:
    """The half line from before isn't put before the first one of now."""
    whole, path = json.dumps(LINE).encode() + b"\n", paths.event_log(tmp_path)
    path.write_bytes(whole + whole[:50])
    with closing(EventFollower(record)) as follower:
        assert len(messages(follower)) == 1
        path.write_bytes(whole)
        assert len(messages(follower)) == 1


def test_one_call_reads_no_more_than_it_may(
    record: InstanceRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much of the log says nothing; the next call goes on."""
    monkeypatch.setattr(followed, "BLOCKS", 2)
    path = paths.event_log(tmp_path)
    path.write_bytes((b"x" * 999 + b"\n") * 300 + json.dumps(LINE).encode() + b"\n")
    with closing(EventFollower(record)) as follower:
        calls = [len(follower.more()) for _ in range(5)]
    assert sum(calls) == 1 and calls[0] == 0


def test_a_log_that_comes_late(record: InstanceRecord, tmp_path: Path) -> None:
    """None is none yet, and no error."""
    with closing(EventFollower(record)) as follower:
        assert messages(follower) == []
        with closing(open_log(tmp_path)) as log:
            log.info("test", "late")
        assert messages(follower) == ["late"]


def as_link(log: Path) -> None:
    log.rename(log.with_name("elsewhere"))
    log.symlink_to("elsewhere")


def as_pipe(log: Path) -> None:
    log.unlink()
    os.mkfifo(log)


def as_folder(log: Path) -> None:
    log.unlink()
    log.mkdir()


@pytest.mark.parametrize(
    "spoil",
    [as_link, as_pipe, as_folder, pytest.param(lambda log: os.chown(log, NOBODY, -1), marks=needs_root)],
    ids=["link", "pipe", "folder", "another user's"],
)
def test_what_a_record_names_is_read_only_if_it_is_its_users_file(
    record: InstanceRecord, tmp_path: Path, log: EventLog, spoil: Callable[[Path], None]
) -> None:
    """Neither at first nor when it comes in place of the log; and no descriptor stays open."""
    log.info("test", "one")
    with closing(EventFollower(record)) as follower:
        assert messages(follower) == ["one"]
        path = paths.event_log(tmp_path)
        path.rename(paths.rotated_log(path, 1))
        with closing(open_log(tmp_path)) as new:
            new.info("test", "two")
        spoil(path)
        before = open_descriptors()
        with closing(EventFollower(record)) as late:
            assert messages(late) == messages(follower) == []
        assert open_descriptors() <= before


@pytest.mark.parametrize("logs", ["/proc/self/mem", "a\0b", "x" * 5000, "\udcff", "/nowhere"])
def test_a_record_may_name_any_path(logs: str) -> None:
    """None of them is an error here."""
    with closing(EventFollower(instance_record(logs=logs))) as follower:
        assert follower.more() == []


@pytest.mark.parametrize(
    "field",
    [
        {"time": "yesterday"},
        {"time": "2026-11-24T10:00:00"},
        {"time": 7},
        {"level": "loud"},
        {"event": None},
        {"message": 7},
        {"service": ["web"]},
        {"pid": "7"},
        {"pid": True},
        {"port": 1e999},
        {"instance_id": 1},
    ],
    ids=str,
)
def test_a_line_that_is_no_event(field: dict[str, Any]) -> None:
    """One wrong field is enough."""
    assert parse(json.dumps({**LINE, **field}).encode()) is None
    assert parse(json.dumps(LINE).encode()) is not None


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.binary()
    | ANY_JSON.map(lambda value: json.dumps(value).encode())
    | st.dictionaries(st.sampled_from(list(LINE)), ANY_JSON).map(
        lambda fields: json.dumps({**LINE, **fields}).encode()
    )
)
def test_any_line_is_an_event_or_none(line: bytes) -> None:
    """Whatever stands there, and what is told of it can be told as JSON."""
    event = parse(line)
    assert event is None or (isinstance(event, Event) and json.dumps(event.to_json(), allow_nan=False))
