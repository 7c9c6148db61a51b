"""The user's own terminal, given to a program elsewhere and taken back as it was."""

from __future__ import annotations

import os
import signal
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class EndedBySignal(BaseException):
    """Not an Exception: like KeyboardInterrupt, it may come anywhere."""

    def __init__(self, signum: int) -> None:
        self.signum = signum


@contextmanager
def borrowed(fd: int) -> Iterator[None]:
    """Restores the settings of the terminal `fd` at the end, whichever way that comes; raises EndedBySignal
    inside after a signal that would end the process. SIGKILL alone leaves the terminal as it is then."""
    settings = termios.tcgetattr(fd) if os.isatty(fd) else None
    handlers = {signum: signal.getsignal(signum) for signum in ENDING}
    try:
        for signum, handler in handlers.items():
            if handler is not signal.SIG_IGN:  # as nohup has it
                signal.signal(signum, _end)
        yield
    finally:
        for signum in ENDING:
            signal.signal(signum, signal.SIG_IGN)  # nothing comes between now
        if settings is not None:
            # At once: to wait for a terminal that takes no output could be for ever.
            termios.tcsetattr(fd, termios.TCSANOW, settings)
        for signum, handler in handlers.items():
            signal.signal(signum, handler)


def make_raw(fd: int) -> None:
    """Every key is a byte that is read, none a signal, and nothing is echoed."""
    tty.setraw(fd, termios.TCSANOW)


def _end(signum: int, _frame: FrameType | None) -> None:
    raise EndedBySignal(signum)


@contextmanager
def told_of(*signals: signal.Signals) -> Iterator[int]:
    """A descriptor that gets a byte with the number of each of `signals` that comes."""
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    os.set_blocking(write_end, False)
    before = {signum: signal.signal(signum, _note) for signum in signals}
    outer = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    try:
        yield read_end
    finally:
        signal.set_wakeup_fd(outer)
        for signum, handler in before.items():
            signal.signal(signum, handler)
        os.close(read_end)
        os.close(write_end)


def _note(_signum: int, _frame: FrameType | None) -> None:
    """The wakeup descriptor tells it."""
