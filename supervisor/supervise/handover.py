"""From one child to the next of a service that gets its socket from us, so that no connection is lost.

A server that is told to stop closes what it has accepted and not read yet, and its clients see a reset.
So it gets no new connections first, and a moment for those that it has, and only then its stop signal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from supervisor.ports.listening import Listening

LOOK_AGAIN = 0.01
"""Seconds between looks at what waits for the old child."""

SETTLE = 0.1
"""Seconds from its last connection accepted to its stop signal: for its request to come and be read."""

STUCK = 1.0
"""Seconds without a connection accepted after which the old child is stopped all the same."""


class Handover:
    def __init__(self, listening: Listening, longest: float, stop: Callable[[], None]) -> None:
        """`listening` has been relieved. `stop` is called once, when the old child may be stopped: after
        `longest` seconds and SETTLE at the latest."""
        self._listening = listening
        self._stop = stop
        self._loop = asyncio.get_running_loop()
        self._left = listening.left_behind
        self._stuck = self._loop.time() + STUCK
        self._deadline = self._loop.time() + longest
        self._timer = self._loop.call_later(LOOK_AGAIN, self._look)

    def _look(self) -> None:
        now, left = self._loop.time(), self._listening.left_behind
        if left < self._left:
            self._left, self._stuck = left, now + STUCK
        if left and now < min(self._stuck, self._deadline):
            self._timer = self._loop.call_later(LOOK_AGAIN, self._look)
        else:
            self._timer = self._loop.call_later(SETTLE, self._stop)

    def cancel(self) -> None:
        """There is nobody to wait for any more."""
        self._timer.cancel()
