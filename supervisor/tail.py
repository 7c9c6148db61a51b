"""The end of a log, and what is added to it, over all the files that it is rotated into. Leaf."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from supervisor.line_times import LineTimes
from supervisor.log_files import newest_first

BLOCK = 1 << 16
"""Bytes that are read at a time."""


class Reach(NamedTuple):
    """How far back one looks at most, be it to the middle of a line."""

    length: int
    """Bytes."""
    since: int | None = None
    """Milliseconds since 1970; what was printed at times that nobody knows is further back. None for any."""


class LogPart:
    """One file of a log, and how far it was read."""

    def __init__(self, log: Path, fd: int, owner: int | None = None) -> None:
        """`fd` is owned from now on. `owner`: whose the times must be."""
        self._fd = fd
        found = os.fstat(fd)
        self.inode = found.st_ino
        self.end = found.st_size
        """Of what there was when it was opened."""
        self.written = found.st_mtime_ns // 1_000_000
        """Last, in milliseconds since 1970, as of then."""
        self.begin = 0
        """Where reading begins at the earliest, be it in the middle of a line."""
        self.position = 0
        self.times = LineTimes(log, fd, owner)

    def limit(self, reach: Reach) -> Reach:
        """From now on nothing further back counts; how far to go back in the file before it."""
        start = 0 if reach.since is None else self._since(reach.since)
        self.position = self.begin = max(self.end - reach.length, start)
        return reach._replace(length=reach.length - (self.end - self.begin))

    def _since(self, time: int) -> int:
        offset = self.times.since(time)
        return self.end if offset is None else min(offset, self.end)

    def read(self, length: int = BLOCK) -> Piece | None:
        """What comes next, at most so much; from the beginning again where it was truncated."""
        if os.fstat(self._fd).st_size < self.position:
            self.position = 0
        data = os.pread(self._fd, length, self.position)
        if not data:
            return None
        self.position += len(data)
        return Piece(self, self.position - len(data), data)

    def start_of_last(self, lines: int) -> tuple[int, int]:
        """Where the last `lines` lines begin, and how many of them there are."""
        return _start_of_last(self._fd, self.begin, self.end, lines)

    def start_since(self, time: int) -> tuple[int, bool]:
        """Where the lines of `time` or later begin, and whether some may be among those before, whose time
        isn't known."""
        offset, known_from = self.times.since(time), self.times.known_from
        if offset is None or known_from is None:
            return self.end, self.end > 0 and self.written >= time
        return self._line_start(offset), offset == known_from > 0

    def _line_start(self, offset: int) -> int:
        """The first beginning of a line from there on; `begin` counts as one."""
        if offset <= self.begin:
            return self.begin
        position = offset - 1
        while block := os.pread(self._fd, BLOCK, position):
            end = block.find(b"\n") + 1
            if end:
                return min(position + end, self.end)
            position += len(block)
        return self.end

    def close(self) -> None:
        self.times.close()
        os.close(self._fd)


class Piece(NamedTuple):
    """Some bytes of a log."""

    part: LogPart
    offset: int
    """In its file."""
    data: bytes

    def timed(self) -> Iterator[tuple[int | None, bytes]]:
        """Cut where the time changes: milliseconds since 1970, None if unknown."""
        start = 0
        for time, length in self.part.times.pieces(self.offset, len(self.data)):
            yield time, self.data[start : start + length]
            start += length


class Tail:
    """One log, which may not exist yet, be truncated, rotated, or replaced by another under its name."""

    def __init__(
        self,
        path: Path,
        *,
        lines: int | None = None,
        since: int | None = None,
        reach: Reach | None = None,
        owner: int | None = None,
    ) -> None:
        """Begins with the last `lines` lines, or with those that were printed `since` then (milliseconds
        since 1970), or with those for which both is true, but not before `reach`. With `owner`, a uid, every
        file must be that user's. Raises PortsupError if a file can't be read."""
        self.path = path
        self._owner = owner
        self.left_out = False
        """Whether there are lines that may be since then, but nobody knows."""
        self._before: LogPart | None = None
        """The one before the first that is read: where it is, there is nothing new."""
        self._parts: deque[LogPart] = deque()
        """Those to be read, the oldest first; never empty once there was one."""
        try:
            self._find_start(lines, since, reach)
        except BaseException:
            self.close()
            raise

    def _find_start(self, lines: int | None, since: int | None, reach: Reach | None) -> None:
        for part in self._newest_first():
            if self._parts and self._parts[0].position > 0:  # it is in there that we begin
                self._before = part
                return
            self._parts.appendleft(part)
            if reach is not None:
                reach = part.limit(reach)
            if lines is not None:
                part.position, found = part.start_of_last(lines)
                lines -= found
            if since is not None:
                start, unsure = part.start_since(since)
                part.position = max(part.position, start)
                self.left_out = self.left_out or unsure

    def is_empty(self) -> bool:
        """Whether nothing was printed when it was opened, as far as was looked."""
        return not any(part.end for part in self._parts)

    def printed(self) -> Iterator[Piece]:
        """What there was when it was opened, block by block; `more` goes on behind it."""
        for part in list(self._parts):
            while part.position < part.end and (piece := part.read(min(part.end - part.position, BLOCK))):
                yield piece

    def more(self) -> Piece | None:
        """What comes next, at most a block; None if there is nothing now."""
        if self._parts and (piece := self._parts[0].read()):
            return piece
        if len(self._parts) < 2:
            self._parts.extend(self._successors())
            # Between that read and this look more may have been written, before the file was set aside.
            if self._parts and (piece := self._parts[0].read()):
                return piece
        if len(self._parts) < 2:
            return None
        self._go_on()
        return self.more()

    def _go_on(self) -> None:
        """From a file that is read to its end to the one after it."""
        if self._before is not None:
            self._before.close()
        self._before = self._parts.popleft()

    def _successors(self) -> list[LogPart]:
        """The files that came after the last one that we have, the oldest first."""
        known = {part.inode for part in (self._before, *self._parts) if part is not None}
        found: list[LogPart] = []
        try:
            for part in self._newest_first():
                if part.inode in known:
                    part.close()
                    break
                found.append(part)
        except BaseException:
            for part in found:
                part.close()
            raise
        return found[::-1]

    def _newest_first(self) -> Iterator[LogPart]:
        for fd in newest_first(self.path, self._owner):
            yield LogPart(self.path, fd, self._owner)

    def close(self) -> None:
        for part in (*self._parts, *([self._before] if self._before else [])):
            part.close()
        self._parts.clear()
        self._before = None


def _start_of_last(fd: int, begin: int, end: int, lines: int) -> tuple[int, int]:
    """Where the last `lines` lines from `begin` to `end` begin, found block by block from the end, and how
    many there are."""
    if lines == 0 or end == begin:
        return end, 0
    position = end
    wanted = lines + 1 if _ends_in_newline(fd, end) else lines
    while position > begin:
        start = max(position - BLOCK, begin)
        block = os.pread(fd, position - start, start)
        found = block.count(b"\n")
        if found >= wanted:
            return start + _nth_newline_from_end(block, wanted) + 1, lines
        wanted -= found
        position = start
    return begin, lines - wanted + 1


def _ends_in_newline(fd: int, end: int) -> bool:
    return os.pread(fd, 1, end - 1) == b"\n"


def _nth_newline_from_end(block: bytes, n: int) -> int:
    at = len(block)
    for _ in range(n):
        at = block.rfind(b"\n", 0, at)
    return at
