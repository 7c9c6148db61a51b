"""Between the user's terminal and a service's: keys one way, output the other, until one of them ends."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from supervisor.cli.detach_keys import Keys
from supervisor.cli.raw_terminal import borrowed, make_raw, told_of
from supervisor.control.attached import Attached, News
from supervisor.modes import Modes

CHUNK = 65536

ATOM = 4096
"""Bytes that a pipe takes without waiting once it is writable."""

BACKLOG = 16 << 20
"""Bytes of output that may wait for a slow terminal here, before it is the supervisor's to show us out."""

TYPED_AHEAD = 1 << 16
"""Bytes of input that may wait for the supervisor."""

QUIET = 1.0
"""Seconds without output after the last of an input that has an end."""


class Attachment:
    def __init__(self, far: Attached, detach: bytes, resize: Callable[[], None]) -> None:
        """`resize` tells the supervisor of the size of our terminal."""
        self._far = far
        self._resize = resize
        self._by_hand = os.isatty(0)
        self._on_terminal = os.isatty(1)
        self._keys = Keys(detach) if self._by_hand else None
        self._output = bytearray()
        self._modes = Modes()
        self._at_line_start = True
        self._input_over = False
        self._typed = 0
        self._last_heard = 0.0
        self._detached = False
        self._ended: str | None = None

    def run(self) -> str | None:
        """Until it ends. Returns how the service did, or None if it goes on without us.

        Raises NotRunning if the supervisor is gone, EndedBySignal after a signal that ends us; the terminal
        is as before in any case.
        """
        with borrowed(0), told_of(signal.SIGWINCH, signal.SIGCONT) as told:
            try:
                self._take_keyboard()
                self._take(self._far.waiting())
                while not self._over:
                    self._step(told)
            finally:
                self._leave_screen()
        return self._ended

    def _take_keyboard(self) -> None:
        if self._by_hand:
            make_raw(0)

    @property
    def _over(self) -> bool:
        if self._ended is not None:
            return not self._output
        return self._detached or self._patience == 0

    @property
    def _patience(self) -> float | None:
        """Seconds until an input that is at its end, and typed, has brought all that it will."""
        if not self._input_over or self._typed < self._far.sent or self._output:
            return None
        return max(0.0, self._last_heard + QUIET - time.monotonic())

    def _step(self, told: int) -> None:
        far = self._far.fileno()
        readable, writable, _ = select.select(
            [told, *self._wanted()], [*self._unwritten()], [], self._patience
        )
        if 1 in writable:
            self._write()
        if far in writable:
            self._far.flush()
        if far in readable:
            self._take(self._far.receive())
        if 0 in readable:
            self._read_keys()
        if told in readable:
            self._look_at_signals(told)

    def _wanted(self) -> Iterator[int]:
        """Descriptors to be read."""
        if self._ended is None:
            if not self._input_over and self._far.unsent < TYPED_AHEAD:
                yield 0
            if len(self._output) < BACKLOG:
                yield self._far.fileno()

    def _unwritten(self) -> Iterator[int]:
        """Descriptors for which something waits."""
        if self._output:
            yield 1
        if self._far.unsent and self._ended is None:
            yield self._far.fileno()

    def _take(self, heard: Sequence[News]) -> None:
        self._last_heard = time.monotonic()
        for news in heard:
            self._output += news.output
            self._typed = news.typed
            self._ended = news.ended

    def _write(self) -> None:
        written = bytes(self._output[: os.write(1, self._output[:ATOM])])
        del self._output[: len(written)]
        self._modes.follow(written)
        self._at_line_start = written.endswith(b"\n")
        self._last_heard = time.monotonic()

    def _read_keys(self) -> None:
        try:
            keys = os.read(0, CHUNK)
        except OSError:  # the terminal is gone
            keys = b""
        if self._keys is None:
            self._input_over = not keys
        elif keys:
            keys, self._detached = self._keys.typed(keys)
        else:
            self._detached = True
        if keys:
            self._far.send(keys)

    def _look_at_signals(self, told: int) -> None:
        signals = os.read(told, CHUNK)
        if signal.SIGCONT in signals:  # a shell that had us in the background has its own settings
            self._take_keyboard()
        self._resize()

    def _leave_screen(self) -> None:
        """What the program has changed of our terminal and can't undo there any more."""
        if self._on_terminal:
            with suppress(OSError):
                os.write(1, self._modes.leave() + (b"" if self._at_line_start else b"\r\n"))
