"""From one child to the next of a service that gets its socket from us, so that no connection is lost.

A server that is told to stop closes what it has accepted and not read yet, and its clients see a reset.
So it gets no new connections first, and a moment for those that it has, and only then its stop signal.

One that doesn't accept, since it hangs or isn't up yet, would leave behind what waits for it: it is
stopped with nothing led elsewhere, and the next child gets the same queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from supervisor.ports.listening import Listening

LOOK_AGAIN = 0.01
"""Seconds between looks at what waits for the old child."""

SETTLE = 0.1
"""Seconds from its last connection accepted to its stop signal, at least."""

UNHEARD = 3.0
"""Seconds at most for the requests of what it has accepted to come and be read. Connections that stand for
longer without a request don't count: browsers keep some in stock."""

STUCK = 1.0
"""Seconds without a connection accepted after which the old child is stopped all the same."""


class Handover:
    def __init__(self, listening: Listening, longest: float, stop: Callable[[], None]) -> None:
        """`stop` is called once, when the old child may be stopped: after `longest` seconds and UNHEARD at
        the latest."""
        self._listening = listening
        self._stop = stop
        self._loop = asyncio.get_running_loop()
        self._waiting = listening.waiting
        self._relieved = False
        self._stuck = self._loop.time() + STUCK
        self._deadline = self._loop.time() + longest
        self._timer: asyncio.Handle = self._loop.call_soon(self._look)

    def _look(self) -> None:
        now, waiting = self._loop.time(), self._listening.waiting
        accepts = waiting == 0 or waiting < self._waiting
        self._waiting = waiting
        if accepts:
            self._stuck = now + STUCK
        if accepts and not self._relieved:
            self._relieve()
        elif self._relieved and not waiting:
            self._timer = self._loop.call_later(SETTLE, self._listen, now + UNHEARD)
        elif now >= min(self._stuck, self._deadline):
            self._stop()
        else:
            self._timer = self._loop.call_later(LOOK_AGAIN, self._look)

    def _relieve(self) -> None:
        self._relieved = self._listening.relieve()
        if self._relieved:
            self._timer = self._loop.call_later(LOOK_AGAIN, self._look)
        else:
            self._stop()

    def _listen(self, until: float) -> None:
        if self._listening.unheard(UNHEARD) and self._loop.time() < until:
            self._timer = self._loop.call_later(LOOK_AGAIN, self._listen, until)
        else:
            self._stop()

    def cancel(self) -> None:
        """There is nobody to wait for any more."""
        self._timer.cancel()
