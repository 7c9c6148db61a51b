"""Answers that come bit by bit, where the client doesn't wait for their end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from starlette.types import Message

from supervisor.web.answers import Stream

SCOPE = {"type": "http", "method": "GET", "path": "/", "headers": []}


def test_a_client_that_hangs_up() -> None:
    """What was open for it is closed when its answer is over, not when memory is tidied up."""
    closed = []

    async def chunks() -> AsyncGenerator[bytes, None]:
        try:
            yield b"one"
        finally:
            closed.append(True)

    async def run() -> None:
        sending = asyncio.Event()

        async def receive() -> Message:
            await sending.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message.get("body"):
                sending.set()
                await asyncio.Event().wait()  # it doesn't read

        held = chunks()
        await Stream(held, "text/plain")(SCOPE, receive, send)
        assert closed == [True]

    asyncio.run(asyncio.wait_for(run(), 5))
