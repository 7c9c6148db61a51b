"""Server-sent events, as the HTML standard writes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from supervisor.web.answers import Stream, ascii_json

MEDIA_TYPE = "text/event-stream"

COMMENT = b":\n\n"
"""Means nothing. That it can't be sent tells a server that nobody is there any more."""

QUIET_SECONDS = 15.0
"""After so long without an event comes a comment."""


def event(name: str, data: Any) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode("ascii"), ascii_json(data))


def retry(milliseconds: int) -> bytes:
    """How long a browser waits until it asks again."""
    return b"retry: %d\n\n" % milliseconds


def answer(request: Request, events: AsyncGenerator[bytes, None]) -> Response:
    """The stream; for HEAD its headers alone, as it has no end that one could wait for."""
    if request.method == "HEAD":
        return Response(media_type=MEDIA_TYPE)
    return Stream(events, MEDIA_TYPE)


async def within(seconds: float, happened: asyncio.Event) -> bool:
    """Whether it happened by then."""
    try:
        async with asyncio.timeout(seconds):
            return await happened.wait()
    except TimeoutError:
        return False
