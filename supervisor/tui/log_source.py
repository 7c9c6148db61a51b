"""Reads a service's log ahead of what draws it, in a thread that does nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

from supervisor.monitor.service_log import LogFollower
from supervisor.records import InstanceRecord
from supervisor.tui.growing import KEPT
from supervisor.tui.safe_text import safe_lines

AT_ONCE = 2000
"""Lines; more are taken when these have been drawn."""

PAUSE = 0.2
"""Seconds between two looks at a log to which nothing was added."""


class LogSource:
    """One thread for all logs that are read one after the other, so that none is closed while it is read."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "portsup-logs")

    async def lines(self, record: InstanceRecord, service: str) -> AsyncIterator[list[str]]:
        """The last lines and what is added, safe for a screen; never ends. Raises PortsupError."""
        loop = asyncio.get_running_loop()
        follower = await loop.run_in_executor(self._thread, lambda: LogFollower(record, service, lines=KEPT))
        try:
            while True:
                lines = await loop.run_in_executor(self._thread, _more, follower)
                yield lines
                await asyncio.sleep(0 if lines else PAUSE)
        finally:
            self._thread.submit(follower.close)


def _more(follower: LogFollower) -> list[str]:
    return safe_lines(line.text for line in follower.more(AT_ONCE))
