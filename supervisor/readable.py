"""Waiting until something can be read from a descriptor, without a thread. Leaf."""

from __future__ import annotations

import asyncio


async def readable(descriptor: int) -> None:
    """Return when reading would not block, be it because the other side hung up."""
    ready = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
