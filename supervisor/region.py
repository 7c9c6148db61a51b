"""Lines that stay at the bottom of a terminal while others scroll above them. Leaf.

By hand and not by rich: to load that takes memory of each supervisor and time of its children's start. The
sequences are ECMA-48's. The cursor stays visible and whole lines are all that is sent, so that nothing has
to be set right again, however the process ends.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from itertools import accumulate, takewhile, zip_longest
from typing import NamedTuple

USUAL_SIZE = os.terminal_size((80, 24))
"""For a terminal that doesn't know its size, or where there is none to take it from."""


class Span(NamedTuple):
    """Text without control characters; `style` is what stands between ESC [ and m."""

    text: str
    style: str = ""


Line = Sequence[Span]

Picture = Callable[[os.terminal_size], Sequence[Line]]
"""What is to be seen on a terminal of that size. Called by another thread than the one that made it."""


def cells_of(text: str) -> int:
    """How wide a terminal shows `text`: an ideogram takes two cells, an accent of its own none."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def _cells(char: str) -> int:
    import unicodedata  # only for those who meet such a character

    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def shortened(text: str, width: int) -> str:
    """`text` in at most `width` cells, with … where something was cut off."""
    if cells_of(text) <= width:
        return text
    if width < 1:
        return ""
    reach = accumulate(map(cells_of, text))
    return text[: sum(1 for _ in takewhile(lambda cells: cells < width, reach))] + "…"


_STYLED = re.compile(r"\x1b\[([0-9;]+)m(.*?)\x1b\[0m")


def spans(text: str) -> Line:
    """The parts of a line in which each style is ended, as `cli/table.py` gives it."""
    pieces = _STYLED.split(text)  # plain, style, styled, plain, …
    styled = [Span(pieces[i + 1], pieces[i]) for i in range(1, len(pieces), 3)]
    plain = [Span(piece) for piece in pieces[::3]]
    return [span for pair in zip_longest(plain, styled) for span in pair if span]


class Region:
    """What was drawn last on one terminal, so that it can be taken away again."""

    def __init__(self, fd: int) -> None:
        """`fd` is not owned."""
        self._fd = fd
        self._drawn: list[int] = []
        """Cells of each line."""

    def around(self, data: bytes, picture: Picture | None) -> bytes:
        """What brings whole lines of output to the terminal, with `picture` below them.

        One that a shell has put into the background gets no picture: its lines would stand in the way of
        what the user types.
        """
        if not in_foreground(self._fd):
            self.forget()
            return data
        size = terminal_size(self._fd) or USUAL_SIZE
        before = self._erased(size.columns)
        if picture is None:
            return before + data
        lines = [
            _fitted(line, size.columns - 1) for line in picture(size)
        ]  # no terminal wraps before its edge
        self._drawn = [sum(cells_of(span.text) for span in line) for line in lines]
        return before + data + "".join(f"{_styled(line)}\n" for line in lines).encode()

    def _erased(self, columns: int) -> bytes:
        """Lines that a narrower window has wrapped take more rows than they did."""
        rows = sum(max(-(-cells // columns), 1) for cells in self._drawn)
        self._drawn = []
        return b"\r\x1b[%dA\x1b[J" % rows if rows else b""

    def forget(self) -> None:
        """Somebody else has written below it: what was drawn stays where it is."""
        self._drawn = []


def _fitted(line: Line, width: int) -> Line:
    fitted = []
    for span in line:
        text = shortened(span.text, width)
        width -= cells_of(text)
        fitted.append(span._replace(text=text))
    return fitted


def _styled(line: Line) -> str:
    return "".join(f"\x1b[{span.style}m{span.text}\x1b[0m" if span.style else span.text for span in line)


def terminal_size(fd: int) -> os.terminal_size | None:
    """None if it is no terminal, hung up, or was never told its size."""
    try:
        size = os.get_terminal_size(fd)
    except OSError:
        return None
    return size if size.columns and size.lines else None


def in_foreground(fd: int) -> bool:
    """Whether our process group has the terminal, as far as it is our session's."""
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return True
