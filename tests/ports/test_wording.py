"""Ages, ranges and command lines as people read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.config.spans import spans
from supervisor.ports import wording


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (0.9, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (7200, "2 h"),
        (200000, "2 d"),
    ],
)
def test_age(seconds: float, text: str) -> None:
    """The largest unit that fits, rounded down; a clock set back reads as nothing."""
    assert wording.age(seconds) == text


@pytest.mark.parametrize(("uid", "who"), [(1000, "uid 1000 or root"), (0, "root"), (None, "root")])
def test_or_root(uid: int | None, who: str) -> None:
    """Root isn't named twice, and may what belongs to nobody known."""
    assert wording.or_root(uid) == who


@pytest.mark.parametrize(
    ("ports", "text"),
    [
        ((), ""),
        ((9000,), "9000"),
        ((9000, 9001, 9002), "9000-9002"),
        ((9002, 9000, 9001, 9010), "9000-9002, 9010"),
    ],
)
def test_ranges(ports: tuple[int, ...], text: str) -> None:
    """Neighbours become one range, in order."""
    assert spans(ports) == text


@given(st.sets(st.integers(1, 65535), max_size=30))
def test_ranges_name_every_port_once(ports: set[int]) -> None:
    """Read back, the text gives exactly the ports that went in."""
    named: list[int] = []
    for part in filter(None, spans(sorted(ports)).split(", ")):
        first, _, last = part.partition("-")
        named += range(int(first), int(last or first) + 1)
    assert named == sorted(ports)


@given(st.lists(st.text(), max_size=5))
def test_no_command_line_reaches_the_terminal_as_it_is(words: list[str]) -> None:
    """Escape codes are taken out, and it stays short."""
    text = wording.command(words)
    assert text.isprintable() and len(text) <= wording.COMMAND_LENGTH
