"""What a child prints: every byte to its log file, and a copy to whoever listens.

Works on whole chunks: cutting lines is `supervisor/lines.py`, for those who want lines.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from supervisor.config.model import LogLimits
from supervisor.errors import PortsupError
from supervisor.line_times import TimesWriter
from supervisor.private import open_log
from supervisor.supervise.rotation import rotate

CHUNK = 1 << 18

NS_PER_MS = 1_000_000

Sink = Callable[[bytes], None]


class LogFile:
    """One service's log, appended to over restarts, and set aside at a line's end before it is too long."""

    def __init__(self, path: Path, limits: LogLimits, complain: Callable[[str], None]) -> None:
        """`complain` is told once if the file can't be written or set aside. Raises PortsupError if it
        can't be opened."""
        self.path = path
        self._limits = limits
        self._complain = complain
        self._complained = self._grows_on = False
        self._begin(open_log(path))

    def _begin(self, fd: int) -> None:
        self._fd = fd
        found = os.fstat(fd)
        self._times = TimesWriter(self.path, found.st_ino)
        self._stamped: int | None = None
        """The millisecond that was last told to `_times`."""
        self._size = found.st_size
        self._room_until = self._limits.max_size
        self._at_line_end = False
        """Known to be, with something before it."""

    def limit(self, limits: LogLimits) -> None:
        """From now on."""
        self._limits = limits
        self._room_until = limits.max_size

    def write(self, data: bytes) -> None:
        try:
            if self._size + len(data) > self._room_until:
                data = self._write_full_files(data)
            self._append(data)
        except OSError as error:
            self._stamped, self._at_line_end = None, False  # how much was written isn't known
            if not self._complained:
                self._complained = True
                self._complain(f"cannot write to {self.path}: {error.strerror}; output is lost until it can")
        else:
            self._complained = False

    def _append(self, data: bytes) -> None:
        if not data:
            return
        now = time.time_ns() // NS_PER_MS
        if now != self._stamped:
            self._size = os.fstat(self._fd).st_size  # somebody else may have truncated it
            self._times.add(self._size, now)
            self._stamped = now
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]
        self._size += len(data)
        self._at_line_end = data.endswith(b"\n")

    def _write_full_files(self, data: bytes) -> bytes:
        """What of `data` belongs to the last file, when those before it are full and set aside."""
        self._size = os.fstat(self._fd).st_size
        while data and self._size + len(data) > self._room_until:
            end = last_of_file(data, self._room_until - self._size, at_line_end=self._at_line_end)
            if end is None:
                break
            self._append(data[:end])
            data = data[end:]
            if data:  # else it is soon enough when there is something for the next file
                self._set_aside()
        return data

    def _set_aside(self) -> None:
        try:
            fd = rotate(self.path, self._limits.files)
        except (OSError, PortsupError) as error:
            self._room_until = self._size + self._limits.max_size
            if not self._grows_on:
                self._grows_on = True
                why = error.message if isinstance(error, PortsupError) else error.strerror
                self._complain(f"cannot set {self.path} aside: {why}; it grows on")
        else:
            self._grows_on = False
            self.close()
            self._begin(fd)

    def close(self) -> None:
        os.close(self._fd)
        self._times.close()


def last_of_file(data: bytes, room: int, *, at_line_end: bool) -> int | None:
    """How much of `data` a file still takes that has `room` for less than all of it: up to the last line's
    end that fits, else none of it where the file may end, else up to the end of its line. None where that
    is still to come."""
    end = data.rfind(b"\n", 0, max(room, 0)) + 1
    if end or at_line_end:
        return end
    return data.find(b"\n") + 1 or None


class Pump:
    """From one child's pipe or terminal to its sinks, by chunks."""

    def __init__(self, fd: int, sinks: list[Sink], *, scant: int = CHUNK // 4) -> None:
        """A read of fewer than `scant` bytes has emptied it. A terminal gives 4095 at most, however much is
        there: with 1, only an empty one is."""
        self._fd = fd
        self._sinks = sinks
        self._scant = scant

    def flow(self, chunks: int = 8) -> bool:
        """Pass on what is there, at most `chunks` reads. False once the pipe is at its end, or the terminal
        was hung up (EIO)."""
        for _ in range(chunks):
            try:
                data = os.read(self._fd, CHUNK)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not data:
                return False
            for sink in self._sinks:
                sink(data)
            if len(data) < self._scant:
                return True
        return True

    def drain(self) -> None:
        """Pass on all that is there now; at most what one holds, so that a flood can't hold us here."""
        self.flow(chunks=64)
