"""Claiming the ports that a unit's holdings lack: off the event loop, and one claim after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from supervisor.ports.reserve import Reservation
from supervisor.supervise.holdings import Holdings
from supervisor.supervise.launcher import Launcher
from supervisor.supervise.timings import Timings


class Claims:
    def __init__(
        self, holdings: Holdings, launcher: Launcher, timings: Timings, over: Callable[[], None]
    ) -> None:
        """`over` is called after each claim, once its lock is free."""
        self._holdings = holdings
        self._launcher = launcher
        self._timings = timings
        self._over = over
        self.lock = asyncio.Lock()
        """Held while ports are claimed."""

    async def claim(self, wanted: Callable[[], bool], avoid: frozenset[int] = frozenset()) -> frozenset[str]:
        """Claim what isn't held, and give it back if it isn't `wanted` any more; not the ports to `avoid`,
        where there are others. The pools of which one is another port than their last.

        Raises PortsupError, and then nothing is under way.
        """
        async with self.lock:
            try:
                self._holdings.drop_lost()
                claimed = await asyncio.to_thread(self._holdings.reserve, self._holdings.missing(avoid))
                if wanted():
                    return self.hold(claimed)
                for held in claimed:
                    held.give_back()
                return frozenset()
            finally:
                asyncio.get_running_loop().call_soon(self._over)

    def hold(self, claimed: Sequence[Reservation]) -> frozenset[str]:
        """From now on; the pools of which one is another port than their last."""
        changed = self._holdings.adopt(claimed)
        for held in claimed:
            self._launcher.note(held)
            self._timings.add(held.service, "claim", held.claim_seconds)
        return changed
