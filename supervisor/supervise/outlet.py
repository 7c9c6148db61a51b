"""Writing to somebody who may stop reading, without waiting for them.

A terminal that is paused (Ctrl-S) or a pipe whose reader hangs must not block a child or the event
loop. Making the descriptor non-blocking would do the same to the user's shell, which shares it; so a
thread writes, and what it can't keep up with is counted and dropped: these are copies, the log files
have every line. A file takes what it gets: when the thread is behind with one it is waited for.
"""

from __future__ import annotations

import os
import select
import stat
import threading
from collections import deque

BACKLOG_BYTES = 4 * 1024 * 1024

FILE_SECONDS = 1.0
"""A file that takes nothing for longer, as on a server that is gone, is no better than a pipe."""


class Outlet:
    """One descriptor (not owned), with one writer thread, started by the first write."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._waits = _is_file(fd)
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._skipped = 0
        self._closing = False
        self._broken = False
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None

    def write(self, data: bytes) -> None:
        """Queue whole lines. Waits for nobody but a file; drops them when the reader is too far behind or
        gone."""
        with self._wake:
            if self._waits:
                self._waits = self._wake.wait_for(lambda: self._has_room(data), FILE_SECONDS)
            if self._broken or self._closing:
                return
            if not self._has_room(data):
                self._skipped += data.count(b"\n")
                return
            self._tell_skipped()
            self._take(data)
            self._wake.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"outlet-{self._fd}", daemon=True)
            self._thread.start()

    def _has_room(self, data: bytes) -> bool:
        return self._broken or not self._queue or self._queued + len(data) <= BACKLOG_BYTES

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
            try:
                _write_all(self._fd, batch)
            except OSError:
                self._give_up()  # the reader went away: the instance goes on without it
                return

    def _give_up(self) -> None:
        with self._wake:
            self._broken = True
            self._wake.notify()

    def _next(self) -> bytes | None:
        with self._wake:
            while not self._queue:
                if self._closing:
                    return None
                self._wake.wait()
            self._tell_skipped()
            batch = b"".join(self._queue)
            self._queue.clear()
            self._queued = 0
            self._wake.notify()
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
