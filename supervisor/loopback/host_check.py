"""Only requests that name this machine are answered, and none that a page from elsewhere makes.

A web page elsewhere can point its own host name at 127.0.0.1 and then read what lies there as its own
(DNS rebinding); its browser still sends that name as Host. It can also send a form here without reading
the answer; its browser then says where the page is from, as Origin.
"""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

LOCAL_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?", re.IGNORECASE)
LOCAL_ORIGIN = re.compile(rf"https?://{LOCAL_HOST.pattern}", re.IGNORECASE)


class LocalOnly:
    """Answers 421 to any other Host and 403 to any other Origin. None at all is let in: HTTP/1.0 has no
    Host, and whoever is no browser sends no Origin."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = _refusal(Headers(scope=scope)) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)


def _refusal(headers: Headers) -> JSONResponse | None:
    if not all(map(LOCAL_HOST.fullmatch, headers.getlist("host"))):
        return _answer(421, "ask for localhost, 127.0.0.1 or [::1]")
    if not all(map(LOCAL_ORIGIN.fullmatch, headers.getlist("origin"))):
        return _answer(403, "pages from elsewhere are not answered")
    return None


def _answer(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": message, "details": [], "hint": None}, status_code=status)
