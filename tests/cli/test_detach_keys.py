"""The keys that end an attachment."""

from __future__ import annotations

import click
import pytest

from supervisor.cli.detach_keys import DetachKeys, Keys, in_words


@pytest.mark.parametrize(
    ("written", "keys", "words"),
    [
        ("ctrl-p,ctrl-q", b"\x10\x11", "Ctrl-P Ctrl-Q"),
        ("Ctrl-],x", b"\x1dx", "Ctrl-] x"),
        ("ctrl-@,ctrl-\\,ctrl-_,ctrl-^", b"\x00\x1c\x1f\x1e", "Ctrl-@ Ctrl-\\ Ctrl-_ Ctrl-^"),
        ("~,.", b"~.", "~ ."),
    ],
)
def test_keys_as_they_are_written(written: str, keys: bytes, words: str) -> None:
    read = DetachKeys().convert(written, None, None)
    assert (read, in_words(read)) == (keys, words)


@pytest.mark.parametrize("written", ["", ",", "ctrl-", "ctrl-pq", "alt-x", "ctrl-p,", "é"])
def test_what_is_no_key(written: str) -> None:
    with pytest.raises(click.BadParameter, match="with commas between"):
        DetachKeys().convert(written, None, None)


@pytest.mark.parametrize(
    ("typed", "passed", "detached"),
    [
        ([b"abc"], b"abc", False),
        ([b"a\x10\x11b"], b"a", True),
        ([b"\x10", b"\x11"], b"", True),
        ([b"\x10", b"x"], b"\x10x", False),
        ([b"\x10\x10", b"\x11"], b"\x10", True),
        ([b"\x11\x10"], b"\x11", False),
    ],
)
def test_keys_as_they_are_typed(typed: list[bytes], passed: bytes, detached: bool) -> None:
    """What begins like the detach keys and goes on otherwise is for the program."""
    keys = Keys(b"\x10\x11")
    found = [keys.typed(some) for some in typed]
    assert b"".join(some for some, _ in found) == passed
    assert found[-1][1] is detached


def test_keys_that_begin_twice() -> None:
    """Nothing is lost where their beginning comes again in them."""
    assert Keys(b"aab").typed(b"aaab") == (b"a", True)
