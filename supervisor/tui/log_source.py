"""Reads a service's log ahead of what draws it, in a thread that does nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Future, ThreadPoolExecutor

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
        opened = self._thread.submit(lambda: LogFollower(record, service, lines=KEPT))
        try:
            follower = await asyncio.wrap_future(opened)
            while True:
                lines = await asyncio.wrap_future(self._thread.submit(_more, follower))
                yield lines
                await asyncio.sleep(0 if lines else PAUSE)
        finally:
            self._thread.submit(_close, opened)


def _more(follower: LogFollower) -> list[str]:
    return safe_lines(line.text for line in follower.more(AT_ONCE))


def _close(opened: Future[LogFollower]) -> None:
    """Also one that was opened when nobody waited for it any more."""
    if not opened.cancelled() and opened.exception() is None:
        opened.result().close()
