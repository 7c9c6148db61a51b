"""A control connection after `attach`: keys one way, news of a terminal the other way."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

from supervisor.control import protocol

CHUNK = 65536

LAST_SECONDS = 5.0
"""How long a client may take to read the last news before it is dropped."""


class News(Protocol):
    @property
    def output(self) -> bytes: ...

    @property
    def typed(self) -> int: ...

    @property
    def ended(self) -> str | None: ...


class Stream(Protocol):
    """One client's end of a child's terminal."""

    async def news(self) -> News:
        """Since the last time; waits until there is something."""
        ...

    async def type(self, keys: bytes) -> None:
        """Waits while the child reads nothing and too much waits for it."""
        ...

    async def over(self) -> None:
        """Return when there is to be no further news than what waits."""
        ...

    def close(self) -> None:
        """The client is gone. Safe to call twice."""
        ...


class Attach(Protocol):
    def __call__(self, params: Mapping[str, Any], /) -> tuple[Any, Stream]:
        """The result (JSON) of the method, and what follows; raises as a dispatch does."""
        ...


async def carry(
    stream: Stream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, keys: bytes
) -> None:
    """Until the client hangs up, or nothing follows; `keys` were sent too early. A client that doesn't read
    keeps nobody waiting: `stream` says how long it can do without."""
    showing, _, over = tasks = [
        asyncio.create_task(_show(stream, writer)),
        asyncio.create_task(_type(stream, reader, keys)),
        asyncio.create_task(stream.over()),
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if over.done():
            await asyncio.wait({showing}, timeout=LAST_SECONDS)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _show(stream: Stream, writer: asyncio.StreamWriter) -> None:
    ended = None
    while ended is None:
        news = await stream.news()
        ended = news.ended
        writer.write(protocol.news(news.output, news.typed, ended))
        await writer.drain()


async def _type(stream: Stream, reader: asyncio.StreamReader, keys: bytes) -> None:
    while keys or (keys := await reader.read(CHUNK)):
        await stream.type(keys)
        keys = b""
