"""The end of a log file, and what is added to it. Bytes in, bytes out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from supervisor.errors import PortsupError

BLOCK = 1 << 16
"""Bytes that are read at a time."""


class Tail:
    """One file that may not exist yet, be truncated, or be replaced by a new one under its name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = _open(path)

    def is_empty(self) -> bool:
        return self._fd is None or os.fstat(self._fd).st_size == 0

    def last(self, lines: int) -> Iterator[bytes]:
        """The last `lines` lines as they are now, block by block; `more` goes on behind them."""
        if self._fd is None:
            return
        end = os.fstat(self._fd).st_size
        position = os.lseek(self._fd, _start_of_last(self._fd, end, lines), os.SEEK_SET)
        while position < end and (block := os.read(self._fd, min(end - position, BLOCK))):
            position += len(block)
            yield block

    def more(self) -> bytes:
        """What was added since the last look, at most a block; empty if there is nothing now."""
        if self._fd is None:
            self._fd = _open(self.path)
        if self._fd is None:
            return b""
        self._go_back_if_truncated(self._fd)
        data = os.read(self._fd, BLOCK)
        return data or self._of_successor(self._fd)

    def _go_back_if_truncated(self, fd: int) -> None:
        if os.fstat(fd).st_size < os.lseek(fd, 0, os.SEEK_CUR):
            os.lseek(fd, 0, os.SEEK_SET)

    def _of_successor(self, fd: int) -> bytes:
        """The beginning of the file that took this one's name, now that this one is read to its end."""
        successor = _open(self.path)
        if successor is None:
            return b""
        if os.path.sameopenfile(fd, successor):
            os.close(successor)
            return b""
        os.close(fd)
        self._fd = successor
        return os.read(successor, BLOCK)

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def _open(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PortsupError(f"cannot read {path}: {error.strerror}") from error


def _start_of_last(fd: int, end: int, lines: int) -> int:
    """Where the last `lines` lines begin, found block by block from the end."""
    if lines == 0:
        return end
    position = end
    wanted = lines + 1 if _ends_in_newline(fd, end) else lines
    while position > 0:
        start = max(position - BLOCK, 0)
        block = os.pread(fd, position - start, start)
        found = block.count(b"\n")
        if found >= wanted:
            return start + _nth_newline_from_end(block, wanted) + 1
        wanted -= found
        position = start
    return 0


def _ends_in_newline(fd: int, end: int) -> bool:
    return end > 0 and os.pread(fd, 1, end - 1) == b"\n"


def _nth_newline_from_end(block: bytes, n: int) -> int:
    at = len(block)
    for _ in range(n):
        at = block.rfind(b"\n", 0, at)
    return at
