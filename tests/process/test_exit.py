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


@pytest.mark.parametrize(
    ("ended", "explained"),
    [
        (Exit(code=1), "code 1"),
        (Exit(code=126), "code 126 (not executable)"),
        (Exit(code=127), "code 127 (command not found)"),
        (Exit(code=128), "code 128"),
        (Exit(code=137), "code 137 (signal KILL: killed; out of memory?)"),
        (Exit(code=139), "code 139 (signal SEGV: segmentation fault)"),
        (Exit(code=143), "code 143 (signal TERM: terminated)"),
        (Exit(code=255), "code 255"),
        (Exit(signal=9), "signal KILL (killed; out of memory?)"),
        (Exit(signal=10), "signal USR1"),
        (Exit(signal=40), "signal 40"),
        (Exit(), "unknown"),
    ],
)
def test_what_an_exit_mostly_means(ended: Exit, explained: str) -> None:
    """For people; and the plain words, which travel in snapshots, tell the same exit again."""
    assert ended.explained() == explained
    assert Exit.from_words(str(ended)) == ended


@pytest.mark.parametrize("text", ["", "code", "code x", "signal NONE", "else"])
def test_other_words_tell_no_exit(text: str) -> None:
    """They may come from another program."""
    assert Exit.from_words(text) == Exit()
