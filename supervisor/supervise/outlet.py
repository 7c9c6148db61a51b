"""Writing to somebody who may stop reading, without waiting for them.

A terminal that is paused (Ctrl-S) or a pipe whose reader hangs must not block a child or the event
loop. Making the descriptor non-blocking would do the same to the user's shell, which shares it; so a
thread writes, and what it can't keep up with is counted and dropped: these are copies, the log files
have every line. A file takes what it gets: when the thread is behind with one it is waited for.

What is to stay at the bottom of a terminal is drawn by that thread as well, in one write with the lines
above it: so often as the terminal takes it, and never from a backlog.
"""

from __future__ import annotations

import os
import select
import stat
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from supervisor.region import Picture, Region

BACKLOG_BYTES = 4 * 1024 * 1024

FILE_SECONDS = 1.0
"""What the event loop waits for a file at most: one that takes nothing for longer is no better than a
pipe."""

FILE_SHARE = 0.25
"""What of the time that passes it may wait again: the rest is for everything else."""


class Outlet:
    """One descriptor (not owned), with one writer thread, started by the first write."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._is_file = _is_file(fd)
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._patience = FILE_SECONDS
        """Seconds that may be waited now."""
        self._waited_at = time.monotonic()
        self._skipped = 0
        self._picture: Picture | None = None
        self._region: Region | None = None
        self._redraw = False
        self._closing = False
        self._broken = False
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None

    def write(self, data: bytes) -> None:
        """Queue whole lines. Waits for nobody but a file; drops them when the reader is too far behind or
        gone."""
        with self._wake:
            if self._is_file:
                self._wait_for_room(data)
            if self._broken or self._closing:
                return
            if not self._has_room(data):
                self._skipped += data.count(b"\n")
                return
            self._tell_skipped()
            self._take(data)
            self._wake.notify()
        self._start_thread()

    def _start_thread(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"outlet-{self._fd}", daemon=True)
            self._thread.start()

    def show_below(self, picture: Picture | None) -> None:
        """Keep `picture` below all that is written, until there is another; None takes it away."""
        from supervisor.region import Region

        with self._wake:
            self._region = self._region or Region(self._fd)
            self._picture = picture
            self._redraw = True
            self._wake.notify()
        self._start_thread()

    def draw_anew(self) -> None:
        """Others have written to the terminal: leave what was drawn, and draw it again below."""
        with self._wake:
            if self._region is not None:
                self._region.forget()
                self._redraw = True
                self._wake.notify()

    def _wait_for_room(self, data: bytes) -> None:
        began = time.monotonic()
        self._patience = min(FILE_SECONDS, self._patience + (began - self._waited_at) * FILE_SHARE)
        if not self._has_room(data):
            self._wake.wait_for(lambda: self._has_room(data), self._patience)
            self._patience = max(self._patience - (time.monotonic() - began), 0.0)
        self._waited_at = time.monotonic()

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
            while not self._queue and not self._redraw:
                if self._closing:
                    return None
                self._wake.wait()
            self._tell_skipped()
            batch = b"".join(self._queue)
            self._queue.clear()
            self._queued = 0
            self._redraw = False
            self._wake.notify()
            return batch if self._region is None else self._region.around(batch, self._picture)

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
