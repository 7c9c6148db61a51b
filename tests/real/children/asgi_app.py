"""What uvicorn serves under load: a short answer, after a moment in which it is in flight."""

from __future__ import annotations

import asyncio
from typing import Any

IN_FLIGHT = 0.02
"""Seconds."""


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    await asyncio.sleep(IN_FLIGHT)
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]},
    )
    await send({"type": "http.response.body", "body": b"ok"})
