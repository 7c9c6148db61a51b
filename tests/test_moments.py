"""Moments in the past, as people write them."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.moments import moment

NOON = 1_795_521_600.0
"""2026-11-24 12:00 UTC."""


@pytest.fixture(autouse=True)
def _an_hour_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "EAST-1")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10m", -600),
        ("0s", 0),
        ("1.5h", -5400),
        ("12:30", -1800),
        ("13:00", 0),
        ("13:00:30", 30 - 86_400),
        ("00:00", -13 * 3600),
        ("2026-11-24T13:00", 0),
        ("2026-11-24 13:00:01.5", 1.5),
        ("2026-11-24T12:00Z", 0),
        ("2026-11-24T12:00-01:00", 3600),
        ("2026-11-24", -13 * 3600),
    ],
)
def test_a_moment(text: str, seconds: float) -> None:
    """A while ago, a time of day, which is yesterday's if it is still to come, and dates; local times."""
    assert moment(text, NOON) == pytest.approx(NOON + seconds, abs=0.001)


@pytest.mark.parametrize(
    "text", ["", "10", "14", "yesterday", "25:00", "-5m", "2026-13-01", "0001-01-01T00:00:0"]
)
def test_what_is_no_moment(text: str) -> None:
    """No unit, no such hour, no such month."""
    with pytest.raises((ValueError, OverflowError, OSError)):
        moment(text, NOON)


@given(st.text() | st.from_regex(r"[0-9:T.Z+ -]{1,20}", fullmatch=True))
def test_anything(text: str) -> None:
    """A number, or one of the errors that are told in words."""
    try:
        assert isinstance(moment(text, NOON), float)
    except (ValueError, OverflowError, OSError):
        pass
