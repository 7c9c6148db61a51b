"""What answers have in common."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from starlette.responses import JSONResponse, StreamingResponse
from starlette.types import Receive, Scope, Send


def ascii_json(content: Any) -> bytes:
    """In one line, with escapes for what UTF-8 can't carry, as the bytes of an odd path."""
    return json.dumps(content, allow_nan=False).encode("ascii")


class AsciiJSON(JSONResponse):
    def render(self, content: Any) -> bytes:
        return ascii_json(content)


class Stream(StreamingResponse):
    """Closes its generator as it ends, also when the client hangs up in the middle: else what that holds
    open stays so until the garbage collector comes by."""

    def __init__(self, chunks: AsyncGenerator[bytes, None], media_type: str) -> None:
        super().__init__(chunks, media_type=media_type)
        self._chunks = chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._chunks):
            await super().__call__(scope, receive, send)


def whole_number(text: str | None, digits: int = 9) -> int | None:
    """The number in a URL; None if it is none, or has more digits: an instance's has nine at most."""
    if text is None or not text.isascii() or not text.isdigit() or len(text) > digits:
        return None
    return int(text)
