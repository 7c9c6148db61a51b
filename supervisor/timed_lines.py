"""Lines with the times at which they were printed, of one service or of several in order of time. Leaf."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from supervisor.lines import LINE_MAX
from supervisor.tail import Piece


class TimedLines(NamedTuple):
    """Whole lines, each with its newline, that were printed at one time."""

    time: int | None
    """Milliseconds since 1970; None if it isn't known."""
    order: int
    """The same, but never less than that of an earlier line of its service: a wall clock may be set back."""
    service: str
    lines: bytes


class LineTimer:
    """Makes whole lines of the pieces of one service's log. A line's time is that of its beginning."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._order = 0
        self._rest = bytearray()
        self._rest_time: int | None = None

    def __call__(self, piece: Piece) -> Iterator[TimedLines]:
        for time, data in piece.timed():
            yield from self._cut(time, data)

    def _cut(self, time: int | None, data: bytes) -> Iterator[TimedLines]:
        if self._rest:
            end = data.find(b"\n") + 1
            self._rest += data[:end] if end else data
            if end or len(self._rest) > LINE_MAX:
                yield from self.finish()
            data = data[end:] if end else b""
        end = data.rfind(b"\n") + 1
        if end:
            yield self._lines(time, data[:end])
        if end < len(data):
            self._rest += data[end:]
            self._rest_time = time

    def _lines(self, time: int | None, lines: bytes) -> TimedLines:
        self._order = max(self._order, time or 0)
        return TimedLines(time, self._order, self._service, lines)

    def finish(self) -> Iterator[TimedLines]:
        """An unfinished line, ended here."""
        if self._rest:
            end = b"" if self._rest.endswith(b"\n") else b"\n"
            yield self._lines(self._rest_time, bytes(self._rest) + end)
            self._rest.clear()


def in_order(services: Sequence[Iterable[TimedLines]]) -> Iterator[TimedLines]:
    """All of them by their times, those of one service as they come; what has no time comes first."""
    return heapq.merge(*services, key=lambda lines: lines.order)
