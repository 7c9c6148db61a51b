"""The events of instances that come and go."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from claims import instance_record, open_descriptors

from supervisor import paths
from supervisor.monitor.event_feed import EventFeed, Happened
from supervisor.records import InstanceRecord
from supervisor.supervise.events import EventLog


def tell(record: InstanceRecord, *messages: str) -> None:
    log = paths.event_log(Path(record.logs))
    with closing(EventLog(log, lambda *_: None, instance=1, instance_id=record.instance_id)) as opened:
        for message in messages:
            opened.info("unit.running", message)


def told(happened: Sequence[Happened]) -> list[tuple[str, str]]:
    return [(one.record.instance_id, one.event.message) for one in happened]


def test_who_comes_and_goes(tmp_path: Path) -> None:
    """The last events of who comes, what is new of who stays, the rest of who goes; nothing stays open."""
    one, two = (instance_record(instance_id=name, logs=str(tmp_path / name)) for name in ("one", "two"))
    before = open_descriptors()
    tell(one, "long ago", "first")
    with closing(EventFeed(last=1)) as feed:
        assert told(feed.more([one])) == [("one", "first")]
        tell(two, "second")
        tell(one, "third")
        assert set(told(feed.more([one, two]))) == {("two", "second"), ("one", "third")}
        tell(one, "the end")
        assert told(feed.more([two])) == [("one", "the end")]
        assert open_descriptors() > before
        assert feed.more([]) == []
        assert open_descriptors() == before
        feed.more([one])
    assert open_descriptors() == before


def test_in_order_of_time(tmp_path: Path) -> None:
    """Over all instances."""
    records = [instance_record(instance_id=name, logs=str(tmp_path / name)) for name in ("one", "two")]
    for seconds, record in enumerate(records * 2):
        line = {
            "time": f"2026-01-02T03:04:0{seconds}+00:00",
            "level": "info",
            "event": "unit.running",
            "message": str(seconds),
            "instance_id": record.instance_id,
        }
        Path(record.logs).mkdir(exist_ok=True)
        with paths.event_log(Path(record.logs)).open("a") as log:
            log.write(json.dumps(line) + "\n")
    with closing(EventFeed(last=10)) as feed:
        assert told(feed.more(records)) == [("one", "0"), ("two", "1"), ("one", "2"), ("two", "3")]
