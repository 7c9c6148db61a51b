"""Durations, signals and spans of ports."""

from __future__ import annotations

import math
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor import durations
from supervisor.config import signals, sizes
from supervisor.config.spans import spans


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("500ms", 0.5),
        ("10s", 10),
        ("2m", 120),
        ("1h", 3600),
        ("1.5s", 1.5),
        ("2 s", 2),
        (3, 3),
        (0.25, 0.25),
        (0, 0),
    ],
)
def test_a_duration_is_seconds(value: object, seconds: float) -> None:
    """Each unit, and plain numbers."""
    assert durations.seconds(value) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "10",
        "s",
        "-1s",
        "1d",
        "1m30s",
        "1e3s",
        "٣s",
        True,
        -1,
        -0.1,
        float("inf"),
        float("nan"),
        None,
        [1],
        10**400,
        "9" * 400 + "s",
    ],
)
def test_what_is_no_duration_is_refused(value: object) -> None:
    """No unit, a negative one, an endless one, a boolean."""
    with pytest.raises(ValueError, match="is "):
        durations.seconds(value)


@given(
    st.from_regex(r"\s*[0-9٣]{1,400}(\.[0-9]+)?\s*(ms|s|m|h|d)?\n?", fullmatch=True)
    | st.text()
    | st.integers()
    | st.floats()
    | st.just(10**400)
)
def test_a_duration_is_finite(value: object) -> None:
    """Whatever is written: some time that a clock can wait, or an error in words."""
    try:
        assert 0 <= durations.seconds(value) < math.inf
    except ValueError as wrong:
        assert str(wrong).startswith("is ")


@pytest.mark.parametrize("value", ["TERM", "SIGTERM", int(signal.SIGTERM)])
def test_a_signal_by_name_or_number(value: object) -> None:
    """All three ways to say SIGTERM."""
    assert signals.number(value) == signal.SIGTERM


@pytest.mark.parametrize("value", ["", "SIG", "term", "SIG_DFL", "15", 0, -1, 999, True, 1.5, None, []])
def test_what_is_no_signal_is_refused(value: object) -> None:
    """Names that aren't signals, numbers out of range, other types."""
    with pytest.raises(ValueError, match="not a signal"):
        signals.number(value)


@pytest.mark.parametrize(
    ("ports", "text"),
    [([], ""), ([7], "7"), ([9002, 9000, 9001, 9001], "9000-9002"), ([1, 2, 4, 6, 7], "1-2, 4, 6-7")],
)
def test_neighbours_are_joined(ports: list[int], text: str) -> None:
    """Sorted, without repeats."""
    assert spans(ports) == text


@pytest.mark.parametrize(
    ("value", "amount"),
    [("10MB", 10_000_000), ("512KB", 512_000), ("1GiB", 1 << 30), (" 3 KiB ", 3072), ("7B", 7), (9, 9)],
)
def test_a_size_is_bytes(value: object, amount: int) -> None:
    """Thousands and, with an i, powers of two."""
    assert sizes.size(value) == amount


@pytest.mark.parametrize("value", ["", "10", "MB", "1.5MB", "-1KB", "1kb", "1TB", "٣KB", True, 1.5, None, []])
def test_what_is_no_size_is_refused(value: object) -> None:
    """No unit, a fraction, a unit that isn't known."""
    with pytest.raises(ValueError, match="is not a size"):
        sizes.size(value)


@given(st.integers(0, 1 << 40))
def test_a_size_in_words(amount: int) -> None:
    """Is read as what it was."""
    assert sizes.size(sizes.text(amount)) == amount
