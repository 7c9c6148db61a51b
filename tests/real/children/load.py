"""A client that asks GET / again and again, each time over a connection of its own, until its stdin ends.

Started with the port and how many requests a second. They are sent by the clock, whether earlier ones are
answered or not, up to AT_ONCE: a machine that can't keep up gets fewer. It says "asking" when it begins,
and at the end it prints, as JSON, how many were sent, what became of them ("ok", else how they failed) and
the longest time in seconds that one took.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter

REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
PATIENCE = 30.0
"""Seconds for one answer."""
AT_ONCE = 700
"""Requests under way; more would need more descriptors than a process usually may have."""
TICK = 0.005


class Load:
    def __init__(self, port: int, rate: float) -> None:
        self.port = port
        self.rate = rate
        self.sent = 0
        self.outcomes: Counter[str] = Counter()
        self.longest = 0.0
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self, over: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        while not over.is_set():
            while self.sent < (loop.time() - began) * self.rate and len(self._under_way) < AT_ONCE:
                self.sent += 1
                task = asyncio.create_task(self._request())
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
            await asyncio.sleep(TICK)
        await asyncio.gather(*self._under_way)

    async def _request(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(PATIENCE):
                self.outcomes[await self._answer()] += 1
        except (OSError, TimeoutError) as error:
            self.outcomes[type(error).__name__] += 1
        self.longest = max(self.longest, loop.time() - began)

    async def _answer(self) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(REQUEST)
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            return "ok" if head.startswith(b"HTTP/1.1 200") and body else "short"
        finally:
            writer.close()


async def main(port: int, rate: float) -> None:
    over = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, over.set)
    load = Load(port, rate)
    print("asking", flush=True)
    await load.run(over)
    print(json.dumps({"sent": load.sent, "outcomes": load.outcomes, "longest": load.longest}))


asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
