"""How an exit reads."""

from __future__ import annotations

import pytest

from supervisor.process.child import Exit


@pytest.mark.parametrize(
    ("status", "words", "ok"),
    [
        (0x0000, "code 0", True),
        (0x0100, "code 1", False),
        (0xFF00, "code 255", False),
        (126 << 8, "code 126 (not executable)", False),
        (127 << 8, "code 127 (command not found)", False),
        (9, "signal KILL", False),
        (11, "signal SEGV", False),
        (6 | 0x80, "signal ABRT", False),
        (40, "signal 40", False),
    ],
)
def test_an_exit_status_in_words(status: int, words: str, ok: bool) -> None:
    """Codes and signals carry the names that operators know; real-time signals a number."""
    ended = Exit.from_status(status)
    assert (str(ended), ended.ok) == (words, ok)


def test_an_exit_that_nobody_saw_is_unknown() -> None:
    """With neither code nor signal it is no success either."""
    assert (str(Exit()), Exit().ok) == ("unknown", False)
