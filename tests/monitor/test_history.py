"""What a small curve is drawn from stays bounded."""

from __future__ import annotations

from supervisor.monitor.history import KEPT, History, Point
from supervisor.monitor.usage import ServiceKey, Usage

WEB, DB = ServiceKey("test-1-abc123", "web"), ServiceKey("test-1-abc123", "db")


def usage(memory: int) -> Usage:
    return Usage(None, 0.0, memory, 1)


def test_the_latest_points_are_kept() -> None:
    """The oldest go, and what was handed out doesn't change."""
    history = History()
    for number in range(KEPT + 2):
        history.add(float(number), {WEB: usage(number)})
    handed_out = history.points()
    history.add(1000.0, {WEB: usage(7)})
    assert len(handed_out[WEB]) == len(history.points()[WEB]) == KEPT
    assert handed_out[WEB][0] == Point(2.0, None, 2)
    assert history.points()[WEB][-1] == Point(1000.0, None, 7)


def test_who_is_measured_no_longer_is_forgotten() -> None:
    """Not by a restart, which takes a few looks; and whatever the wall clock does."""
    history = History()
    history.add(5e9, {WEB: usage(1), DB: usage(2)})
    for _ in range(KEPT - 1):
        history.add(0.0, {WEB: usage(1)})
    assert history.points().keys() == {WEB, DB}
    history.add(0.0, {WEB: usage(1)})
    assert history.points().keys() == {WEB}
