"""How long to wait before the next try, and when to give up. Pure."""

from __future__ import annotations

from supervisor.config.model import Backoff


class Ladder:
    """Counts the failures in a row of one unit."""

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        self._rung = 0

    @property
    def failures(self) -> int:
        return self._rung

    def climb(self, ran_for: float) -> float | None:
        """One more end after `ran_for` seconds: the wait in seconds, or None to give up."""
        if ran_for >= self._backoff.reset:
            self._rung = 0
        self._rung += 1
        if self._rung > self._backoff.limit:
            return None
        return self._wait()

    def _wait(self) -> float:
        try:
            wait = self._backoff.initial * self._backoff.factor ** (self._rung - 1)
        except OverflowError:
            return self._backoff.max if self._backoff.initial else 0.0
        return min(wait, self._backoff.max)

    def change(self, backoff: Backoff) -> None:
        """From now on by these rules; what was counted counts on."""
        self._backoff = backoff

    def reset(self) -> None:
        """Somebody started it by hand: count anew."""
        self._rung = 0
