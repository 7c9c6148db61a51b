"""Time that a test can advance.

Everything that waits or measures takes a Clock. All times are monotonic seconds, so that a jump of
the wall clock neither restarts a service nor fires a timeout.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Seconds on a clock that never goes back; its zero means nothing."""
        ...


class MonotonicClock:
    """The kernel's CLOCK_MONOTONIC, the one that asyncio's timers use too."""

    def now(self) -> float:
        return time.monotonic()
