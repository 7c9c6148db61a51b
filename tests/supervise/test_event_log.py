"""The instance's own log doesn't grow without bound."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from supervisor.config.model import LogLimits
from supervisor.paths import rotated_log
from supervisor.supervise import events
from supervisor.supervise.events import EventLog


def test_events_are_set_aside_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As services' logs are: at a line's end, also over a restart, and the oldest go."""
    monkeypatch.setattr(events, "LIMITS", LogLimits(500, 3))
    path = tmp_path / "events.jsonl"
    for start in (0, 10):
        log = EventLog(path, lambda *_: None)
        for number in range(start, start + 10):
            log.detail("test", str(number))
        log.close()
    files = [rotated_log(path, age) for age in (2, 1, 0)]
    told = [json.loads(line)["message"] for file in files for line in file.read_text().splitlines()]
    assert told == [str(number) for number in range(20 - len(told), 20)] and 8 <= len(told) < 18
    assert all(file.stat().st_size <= 500 for file in files)
    assert not rotated_log(path, 3).exists()


def test_events_that_cannot_be_set_aside_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file grows on."""
    monkeypatch.setattr(events, "LIMITS", LogLimits(200, 2))
    path = tmp_path / "events.jsonl"
    (rotated_log(path, 1) / "in the way").mkdir(parents=True)
    log = EventLog(path, lambda *_: None)
    for number in range(10):
        log.detail("test", str(number))
    log.close()
    assert [json.loads(line)["message"] for line in path.read_text().splitlines()] == [
        str(n) for n in range(10)
    ]
