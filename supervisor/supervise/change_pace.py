"""How soon a service restarts when its files change. Pure.

One that writes what it watches as it starts changes it again with each restart: that goes on, but slowly.
"""

from __future__ import annotations

import math

SOON = 3.0
"""Seconds after a restart within which the service itself may have changed its files."""

IN_A_ROW = 5
"""Restarts at once where each came so soon: people save less often, or not for long."""

SLOW = 10.0
"""Seconds from one restart to the next, from then on."""


class ChangePace:
    """Of one service."""

    def __init__(self) -> None:
        self._in_a_row = 0
        self._restarted = -math.inf

    @property
    def just_slowed(self) -> bool:
        """Whether the last change was the first that has to wait."""
        return self._in_a_row == IN_A_ROW + 1

    def wait(self, now: float) -> float:
        """Its files changed: in how many seconds it is to restart. `now` is monotonic.

        Not to be asked again before that restart.
        """
        self._in_a_row = self._in_a_row + 1 if now - self._restarted < SOON else 0
        wait = max(0.0, self._restarted + SLOW - now) if self._in_a_row > IN_A_ROW else 0.0
        self._restarted = now + wait
        return wait
