"""Waits between restarts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.config.model import Backoff
from supervisor.supervise.backoff import Ladder


def test_waits_grow_to_the_limit() -> None:
    """initial, times factor, never above max; then it gives up."""
    ladder = Ladder(Backoff(initial=0.5, max=3.0, factor=2, limit=5, reset=60))
    assert [ladder.climb(0.0) for _ in range(6)] == [0.5, 1.0, 2.0, 3.0, 3.0, None]


def test_a_long_run_starts_anew() -> None:
    """A child that ran for `reset` seconds has proved itself."""
    ladder = Ladder(Backoff(initial=1.0, factor=2, limit=2, reset=60))
    assert [ladder.climb(0.0), ladder.climb(59.9), ladder.climb(60.0)] == [1.0, 2.0, 1.0]


def test_a_start_by_hand_starts_anew() -> None:
    """Somebody looked at it and said start."""
    ladder = Ladder(Backoff(initial=1.0, limit=1))
    ladder.climb(0.0)
    ladder.reset()
    assert ladder.climb(0.0) == 1.0


def test_limit_zero_gives_up_at_once() -> None:
    """`limit = 0` means no restart."""
    assert Ladder(Backoff(limit=0)).climb(0.0) is None


@pytest.mark.parametrize("factor", [1e300, 2.0])
def test_a_huge_factor_is_still_max(factor: float) -> None:
    """A power that overflows is not an error."""
    ladder = Ladder(Backoff(initial=1.0, max=7.0, factor=factor, limit=5000, reset=60))
    assert [ladder.climb(0.0) for _ in range(2000)][-1] == 7.0


def test_without_a_wait_there_is_never_one() -> None:
    """`initial = "0s"` is 0 s also after the power has overflowed."""
    ladder = Ladder(Backoff(initial=0.0, max=30.0, factor=2.0, limit=5000, reset=60))
    assert {ladder.climb(0.0) for _ in range(2000)} == {0.0}


@given(
    st.floats(0, 100), st.floats(0, 100), st.floats(1, 10), st.integers(0, 20), st.lists(st.floats(0, 120))
)
def test_waits_are_bounded(initial: float, top: float, factor: float, limit: int, runs: list[float]) -> None:
    """Whatever happens, a wait is between 0 and max, and never more than `limit` come in a row."""
    ladder = Ladder(Backoff(initial=initial, max=top, factor=factor, limit=limit, reset=60))
    in_a_row = 0
    for ran_for in runs:
        wait = ladder.climb(ran_for)
        in_a_row = 1 if ran_for >= 60 else in_a_row + 1
        assert (wait is None) == (in_a_row > limit)
        assert wait is None or 0 <= wait <= top
