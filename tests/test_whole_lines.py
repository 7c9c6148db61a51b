"""Cutting output into lines, and prefixing them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from supervisor.lines import LINE_MAX, Lines, prefixed


def passed(chunks: list[bytes]) -> list[bytes]:
    got: list[bytes] = []
    lines = Lines(got.append)
    for chunk in chunks:
        lines(chunk)
    lines.finish()
    return got


@given(st.lists(st.binary()))
def test_nothing_is_lost(chunks: list[bytes]) -> None:
    """All pieces together are all chunks together, but for the newline that ends the last line."""
    whole = b"".join(chunks)
    assert b"".join(passed(chunks)) == whole + (b"\n" if whole and not whole.endswith(b"\n") else b"")


@given(st.lists(st.binary()))
def test_pieces_are_whole_lines(chunks: list[bytes]) -> None:
    """No line is cut by where a chunk ended."""
    assert all(piece.endswith(b"\n") for piece in passed(chunks))


def test_a_line_without_an_end_is_cut() -> None:
    """Memory stays bounded when a child prints no newline."""
    got: list[bytes] = []
    lines = Lines(got.append)
    lines(b"x" * (LINE_MAX + 1))
    assert got == [b"x" * (LINE_MAX + 1) + b"\n"]


@given(st.lists(st.binary().map(lambda line: line.replace(b"\n", b"")), min_size=1))
def test_prefix(lines: list[bytes]) -> None:
    """Each line gets it once."""
    text = b"".join(line + b"\n" for line in lines)
    assert prefixed(b"web | ", text) == b"".join(b"web | " + line + b"\n" for line in lines)
