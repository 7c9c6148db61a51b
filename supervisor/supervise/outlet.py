"""Writing to somebody who may stop reading, without ever waiting for them.

A terminal that is paused (Ctrl-S) or a pipe whose reader hangs must not block a child or the event
loop. Making the descriptor non-blocking would do the same to the user's shell, which shares it; so a
thread writes, and what it can't keep up with is counted and dropped: these are copies, the log files
have every line. A file keeps nobody waiting: into one all is written at once.
"""

from __future__ import annotations

import os
import select
import stat
import threading
from collections import deque

BACKLOG_BYTES = 4 * 1024 * 1024


class Outlet:
    """One descriptor (not owned), with one writer thread if it isn't a file, started by the first write."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._is_file = _is_file(fd)
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._skipped = 0
        self._closing = False
        self._broken = False
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None

    def write(self, data: bytes) -> None:
        """Take whole lines. Never blocks; drops them when the reader is too far behind or gone."""
        if self._is_file:
            self._write(data)
        else:
            self._enqueue(data)

    def _enqueue(self, data: bytes) -> None:
        with self._wake:
            if self._broken or self._closing:
                return
            if self._queue and self._queued + len(data) > BACKLOG_BYTES:
                self._skipped += data.count(b"\n")
                return
            self._tell_skipped()
            self._take(data)
            self._wake.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"outlet-{self._fd}", daemon=True)
            self._thread.start()

    def _take(self, data: bytes) -> None:
        self._queue.append(data)
        self._queued += len(data)

    def _tell_skipped(self) -> None:
        if self._skipped:
            notice = b"portsup | %d lines skipped: the reader was too slow; the log files have them\n"
            self._take(notice % self._skipped)
            self._skipped = 0

    def _run(self) -> None:
        while (batch := self._next()) is not None:
            self._write(batch)

    def _write(self, data: bytes) -> None:
        if self._broken:
            return
        try:
            _write_all(self._fd, data)
        except OSError:
            self._broken = True  # the reader went away: the instance goes on without it

    def _next(self) -> bytes | None:
        with self._wake:
            while not self._queue:
                if self._closing or self._broken:
                    return None
                self._wake.wait()
            self._tell_skipped()
            batch = b"".join(self._queue)
            self._queue.clear()
            self._queued = 0
            return batch

    def close(self, timeout: float = 1.0) -> None:
        """Write what is queued, for at most `timeout` seconds."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join(timeout)


def _is_file(fd: int) -> bool:
    try:
        return stat.S_ISREG(os.fstat(fd).st_mode)
    except OSError:
        return False  # closed: the first write will tell


def _write_all(fd: int, data: bytes) -> None:
    """Wait where somebody who shares the descriptor made it non-blocking (Node does, and ssh)."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            select.select((), (fd,), ())
