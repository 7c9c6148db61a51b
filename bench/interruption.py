"""Whoever ends the benchmark, by Ctrl-C or SIGTERM, gets a machine on which nothing of it runs any more."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any, NoReturn

ENDING = (signal.SIGINT, signal.SIGTERM)


def interrupt_on_signals() -> None:
    """The first one raises KeyboardInterrupt; from then on all are ignored, as clearing up takes seconds."""
    for signum in ENDING:
        signal.signal(signum, interrupt)


def interrupt(*_: object) -> NoReturn:
    for signum in ENDING:
        signal.signal(signum, pass_over)
    raise KeyboardInterrupt


def pass_over(*_: object) -> None:
    """Not SIG_IGN: Python tells of a signal that it can't hand over any more on stderr, as a traceback."""


class HeldBack:
    """Signals that come while something is cleared up, and count afterwards.

    Handlers, as a mask would be this thread's only, and the kernel would pick another thread.
    """

    def __init__(self) -> None:
        self._handlers: dict[int, Callable[..., Any] | int | None] = {}
        self._came: list[int] = []

    def begin(self) -> None:
        for signum in ENDING:
            self._handlers[signum] = signal.signal(signum, self._note)

    def end(self) -> None:
        for signum, handler in self._handlers.items():
            signal.signal(signum, handler)
        for signum in self._came:
            signal.raise_signal(signum)

    def _note(self, signum: int, _frame: object) -> None:
        self._came.append(signum)
