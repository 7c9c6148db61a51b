"""How often a service restarts that changes its own files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.supervise.change_pace import IN_A_ROW, SLOW, SOON, ChangePace


def restarts(pace: ChangePace, delay: float, count: int, now: float = 100.0) -> list[float]:
    """When it restarts if it changes its files `delay` seconds after each start."""
    found = []
    for _ in range(count):
        now += pace.wait(now)
        found.append(now)
        now += delay
    return found


def test_its_own_changes() -> None:
    """The first ones count at once, further ones every ten seconds, and that is to be told once."""
    pace, told = ChangePace(), []
    now = 0.0
    for _ in range(IN_A_ROW + 4):
        wait = pace.wait(now)
        told.append(pace.just_slowed)
        assert wait == (pytest.approx(SLOW - 0.5) if len(told) > IN_A_ROW + 1 else 0.0)
        now += wait + 0.5
    assert told.index(True) == IN_A_ROW + 1 and told.count(True) == 1


def test_somebody_who_saves() -> None:
    """Every few seconds, for however long: each is followed at once."""
    times = restarts(ChangePace(), SOON, 100)
    assert times[-1] - times[0] == pytest.approx(99 * SOON)


def test_who_was_slow_is_quick_again() -> None:
    """Once the files are left alone for a while."""
    pace = ChangePace()
    last = restarts(pace, 0.1, 2 * IN_A_ROW)[-1]
    assert pace.wait(last + SOON) == 0.0
    assert pace.wait(last + SOON + 0.1) == 0.0


@given(st.lists(st.floats(0.0, 30.0), min_size=20, max_size=60))
def test_bounded(delays: list[float]) -> None:
    """Whatever changes when: never more than a few restarts within ten seconds."""
    pace, now, found = ChangePace(), 0.0, []
    for delay in delays:
        wait = pace.wait(now)
        assert 0.0 <= wait < SLOW + 0.001
        now += wait
        found.append(now)
        now += delay
    longest = int(SLOW / SOON) + IN_A_ROW + 2
    for start in found:
        assert sum(start <= time < start + SLOW - 0.001 for time in found) <= longest
