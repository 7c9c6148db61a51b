"""What a child prints: every byte to its log file, and a copy to whoever listens.

Works on whole chunks: cutting lines is `supervisor/lines.py`, for those who want lines.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from supervisor.paths import open_log

CHUNK = 1 << 18
ROTATE_BYTES = 10 * 1024 * 1024
"""A log that is longer when an instance starts is set aside as `.log.1`."""

Sink = Callable[[bytes], None]


class LogFile:
    """One service's log, appended to over restarts."""

    def __init__(self, path: Path, complain: Callable[[str], None]) -> None:
        """`complain` is told once if the file can't be written. Raises PortsupError if it can't be opened."""
        self.path = path
        self._complain = complain
        self._complained = False
        set_aside(path)
        self._fd = open_log(path)

    def write(self, data: bytes) -> None:
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            if not self._complained:
                self._complained = True
                self._complain(f"cannot write to {self.path}: {error.strerror}; output is lost until it can")
        else:
            self._complained = False

    def close(self) -> None:
        os.close(self._fd)


def set_aside(path: Path, longer_than: int = ROTATE_BYTES) -> None:
    """Rename a log that has more bytes than that."""
    try:
        if path.stat().st_size > longer_than:
            path.replace(path.with_name(path.name + ".1"))
    except OSError:
        pass  # not there, or not to be renamed: then it grows on


class Pump:
    """From one child's pipe to its sinks, by chunks."""

    def __init__(self, fd: int, sinks: list[Sink]) -> None:
        self._fd = fd
        self._sinks = sinks

    def flow(self, chunks: int = 8) -> bool:
        """Pass on what is there, at most `chunks` reads. False once the pipe is at its end."""
        for _ in range(chunks):
            try:
                data = os.read(self._fd, CHUNK)
            except BlockingIOError:
                return True
            if not data:
                return False
            for sink in self._sinks:
                sink(data)
            if len(data) < CHUNK // 4:
                return True
        return True

    def drain(self) -> None:
        """Pass on all that is there now; at most a pipe's worth, so that a flood can't hold us here."""
        self.flow(chunks=64)
