"""What a service printed, as lines with their times; read from its files, with or without a supervisor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from supervisor import paths
from supervisor.records import InstanceRecord
from supervisor.tail import Reach, Tail
from supervisor.timed_lines import LineTimer, TimedLines

LONGEST_LINE = 65_536
"""Bytes; a longer one is cut into several."""

LONGEST_CHARACTER = 4
"""Bytes, in UTF-8."""

BATCH = 1 << 20
"""Bytes after which a call reads no further, once it has lines."""


class LogLine(NamedTuple):
    time: int | None
    """Milliseconds since 1970; None where nobody knows."""
    text: str
    """Without its end; bytes that are no UTF-8 replaced. Colours and other control codes are in it."""

    def to_json(self) -> dict[str, Any]:
        return {"time": self.time, "text": self.text}


class LogFollower:
    """The lines of one service of one instance, across rotations. Only of files of the record's own user."""

    def __init__(
        self, record: InstanceRecord, service: str, *, lines: int | None = None, since: int | None = None
    ) -> None:
        """Begins with the last `lines`, or those `since` then (milliseconds since 1970), or both. The caller
        has made sure that the instance has such a service. Raises PortsupError if a file can't be read, or is
        another user's."""
        reach = None if lines is None else Reach(lines * LONGEST_LINE)
        log = paths.service_log(Path(record.logs), service)
        self._tail = Tail(log, lines=lines, since=since, reach=reach, owner=record.uid)
        self._timer = LineTimer(service)
        self._ready: list[LogLine] = []

    def more(self, limit: int = 2000) -> list[LogLine]:
        """The next lines, at most `limit`; empty if there is nothing now. A line that has no end yet comes
        when it has, or with `finish`. Raises PortsupError if a file can't be read."""
        read = 0
        while len(self._ready) < limit and (read < BATCH or not self._ready):
            piece = self._tail.more()
            if piece is None:
                break
            read += len(piece.data)
            for some in self._timer(piece):
                self._ready += _lines(some)
        taken, self._ready = self._ready[:limit], self._ready[limit:]
        return taken

    def finish(self) -> list[LogLine]:
        """What is left: of lines that `more` hasn't given yet, and of a last line without an end."""
        left, self._ready = self._ready, []
        for some in self._timer.finish():
            left += _lines(some)
        return left

    def close(self) -> None:
        self._tail.close()


def _lines(some: TimedLines) -> Iterator[LogLine]:
    for line in some.lines[:-1].split(b"\n"):
        for part in _parts(line.removesuffix(b"\r")):
            yield LogLine(some.time, part.decode(errors="replace"))


def _parts(line: bytes) -> Iterator[bytes]:
    """`line`, or where it is too long the parts of it, cut between two characters."""
    while len(line) > LONGEST_LINE:
        end = LONGEST_LINE
        while end > LONGEST_LINE - LONGEST_CHARACTER and line[end] & 0xC0 == 0x80:
            end -= 1
        yield line[:end]
        line = line[end:]
    yield line
