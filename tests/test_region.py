"""Lines at the bottom of a terminal, and how wide text is there."""

from __future__ import annotations

import os
import termios

import pyte
import pytest

from supervisor.region import Line, Region, Span, cells_of, shortened, spans, terminal_size


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("漢字", 4, "漢字"),
        ("漢字x", 4, "漢…"),
        ("e\u0301x", 2, "e\u0301x"),
        ("a", 0, ""),
    ],
)
def test_shortened(text: str, width: int, shown: str) -> None:
    """Counted in cells, of which an ideogram takes two."""
    assert shortened(text, width) == shown
    assert cells_of(shown) <= width


def test_spans() -> None:
    """The text stays the same, and each style has its part."""
    assert spans("a \x1b[1;31mb\x1b[0m c") == [Span("a "), Span("b", "1;31"), Span(" c")]
    assert spans("") == [Span("")]


def test_a_picture_stays_below() -> None:
    """Lines scroll above it, it may grow and shrink, and nothing of it is left in the end."""
    reader, writer = os.openpty()
    try:
        region, screen = Region(writer), pyte.Screen(80, 5)
        stream = pyte.ByteStream(screen)

        def draw(data: bytes, *lines: str) -> list[str]:
            def picture(_: os.terminal_size) -> list[Line]:
                return [[Span(line, "2")] for line in lines]

            stream.feed(region.around(data, picture if lines else None).replace(b"\n", b"\r\n"))
            return [row.rstrip() for row in screen.display if row.strip()]

        assert draw(b"one\n", "x", "y") == ["one", "x", "y"]
        assert draw(b"two\nthree\n", "z") == ["one", "two", "three", "z"]
        assert draw(b"four\n", "x", "y" * 100) == ["three", "four", "x", "y" * 78 + "…"]
        assert draw(b"") == ["three", "four"]
        region.forget()
        assert draw(b"five\n") == ["three", "four", "five"]
    finally:
        os.close(reader)
        os.close(writer)


def test_the_size_of_a_terminal() -> None:
    """None where it was never told one, is hung up, or is no terminal at all."""
    reader, writer = os.openpty()
    try:
        assert terminal_size(writer) is None
        termios.tcsetwinsize(writer, (24, 80))
        assert terminal_size(writer) == (80, 24)
    finally:
        os.close(reader)
    try:
        assert terminal_size(writer) is None
    finally:
        os.close(writer)
    assert terminal_size(writer) is None
