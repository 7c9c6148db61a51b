"""The server over HTTP: the app, and the page by which a supervisor sees that it is ready."""

from __future__ import annotations

import os
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from supervisor.agents.admission import GuardedServer
from supervisor.loopback.host_check import LocalOnly

PATH = "/mcp"


def make_app(server: GuardedServer, environ: Mapping[str, str]) -> ASGIApp:
    """`environ` tells which service it is itself."""

    async def health(request: Request) -> Response:
        number = environ.get("PORTSUP_INSTANCE", "")
        return JSONResponse(
            {
                "status": "ok",
                "service": environ.get("PORTSUP_SERVICE", "portsup mcp"),
                "instance": int(number) if number.isdecimal() else None,
                "port": request.scope["server"][1],
                "pid": os.getpid(),
            }
        )

    server.custom_route("/api/health", methods=["GET"])(health)
    return LocalOnly(server.streamable_http_app(streamable_http_path=PATH, stateless_http=True))
