"""The endpoints. All GET, none changes anything."""

from __future__ import annotations

import json
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from supervisor import snapshot
from supervisor.web import health, inventory
from supervisor.web.host_check import LocalHostOnly

HEALTH_SECONDS = 2.0
"""In which the aggregated health is answered, whoever hangs."""

INDEX = """portsup: what runs on this machine

GET /api/health             this server itself
GET /api/services           every service of every instance: port, pid, state, url
GET /api/health/aggregated  the health of every service, asked now (?instance=N, ?stack=NAME)
GET /api/tracing/stats      how long claims, spawns, readiness and stops took
"""


class AsciiJSON(JSONResponse):
    """JSON that escapes what UTF-8 can't carry, as the bytes of an odd path."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, allow_nan=False).encode("ascii")


def make_app(folder: Path, environ: Mapping[str, str] = os.environ) -> Starlette:
    """The app over the lock folder `folder`; `environ` tells which service it is itself."""
    api = _Api(folder, environ)
    app = Starlette(
        routes=[
            Route("/", _index),
            Route("/api/health", api.health),
            Route("/api/services", api.services),
            Route("/api/health/aggregated", api.aggregated_health),
            Route("/api/tracing/stats", api.tracing_stats),
        ],
        middleware=[Middleware(LocalHostOnly)],
        exception_handlers={HTTPException: _http_error, Exception: _internal_error},
        lifespan=_lifespan,
    )
    app.router.redirect_slashes = False
    return app


@asynccontextmanager
async def _lifespan(_app: Starlette) -> AsyncIterator[dict[str, Any]]:
    async with health.make_client() as client:
        yield {"client": client}


class _Api:
    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._service = environ.get("PORTSUP_SERVICE", "portsup serve")
        self._instance = _whole_number(environ.get("PORTSUP_INSTANCE"))

    async def health(self, request: Request) -> Response:
        return AsciiJSON(
            {
                "status": "ok",
                "service": self._service,
                "instance": self._instance,
                "port": request.scope["server"][1],
                "pid": os.getpid(),
            }
        )

    async def services(self, _request: Request) -> Response:
        instances = await to_thread.run_sync(inventory.snapshots, self._folder)
        return AsciiJSON({**snapshot.document(instances), "services": inventory.flat(instances)})

    async def aggregated_health(self, request: Request) -> Response:
        deadline = time.monotonic() + HEALTH_SECONDS
        wanted = _filter(request.query_params)
        instances = await to_thread.run_sync(inventory.snapshots, self._folder, wanted)
        services = await health.ask_everyone(request.state.client, instances, deadline)
        status = health.overall(instances, [service["status"] for service in services])
        return AsciiJSON(
            {
                "schema": snapshot.SCHEMA,
                "status": status,
                "instances": [{**inventory.whose(one), "state": one.state} for one in instances],
                "services": services,
            },
            status_code=200 if status == "ok" else 503,
        )

    async def tracing_stats(self, _request: Request) -> Response:
        instances = await to_thread.run_sync(inventory.timings, self._folder)
        return AsciiJSON({"schema": snapshot.SCHEMA, "instances": instances})


async def _index(_request: Request) -> Response:
    return PlainTextResponse(INDEX)


def _filter(query: Mapping[str, str]) -> inventory.Filter:
    instance = query.get("instance")
    number = _whole_number(instance)
    if instance is not None and number is None:
        raise HTTPException(400, "instance must be a whole number")
    return inventory.Filter(number, query.get("stack"))


def _whole_number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 10 else None


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return AsciiJSON({"error": error.detail}, status_code=error.status_code, headers=error.headers)


async def _internal_error(_request: Request, error: Exception) -> Response:
    return AsciiJSON({"error": f"portsup serve failed inside ({type(error).__name__})"}, status_code=500)
