"""Only requests that name this machine are answered.

A web page elsewhere can point its own host name at 127.0.0.1 and then read what lies there as its own
(DNS rebinding); its browser still sends that name as Host.
"""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

LOCAL = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?", re.IGNORECASE)


class LocalHostOnly:
    """Answers 421 to any other Host. None at all is let in: HTTP/1.0 has none, and browsers send one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        hosts = Headers(scope=scope).getlist("host") if scope["type"] == "http" else []
        if all(LOCAL.fullmatch(host) for host in hosts):
            await self._app(scope, receive, send)
            return
        refusal = JSONResponse({"error": "ask for localhost, 127.0.0.1 or [::1]"}, status_code=421)
        await refusal(scope, receive, send)
