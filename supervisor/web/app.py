"""The endpoints. What GET answers changes nothing; POST is `changes.py`."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from supervisor import paths, snapshot
from supervisor.errors import PortsupError
from supervisor.monitor import instances
from supervisor.web import health, page
from supervisor.web.answer_headers import AnswerHeaders
from supervisor.web.answers import AsciiJSON, whole_number
from supervisor.web.changes import PATH, Changes, refusal
from supervisor.web.host_check import LocalOnly

Endpoint = Callable[[Request], Awaitable[Response]]

V1 = "/api/v1"

HEALTH_SECONDS = 2.0
"""In which the aggregated health is answered, whoever hangs."""


def make_app(folder: Path, environ: Mapping[str, str] = os.environ) -> Starlette:
    """The app over the lock folder `folder`; `environ` tells which service it is itself."""
    api = _Api(folder, environ)
    own = environ.get("PORTSUP_INSTANCE_ID"), environ.get("PORTSUP_SERVICE")
    changes = Changes(folder, paths.api_token_file(environ), own)
    app = Starlette(
        routes=[
            Route("/", page.front),
            Route("/static/{path:path}", page.static_file),
            *_in_both_versions("/health", api.health),
            *_in_both_versions("/services", api.services),
            *_in_both_versions("/health/aggregated", api.aggregated_health),
            *_in_both_versions("/tracing/stats", api.tracing_stats),
            *_in_both_versions(PATH, changes.answer, methods=["POST"]),
        ],
        middleware=[Middleware(AnswerHeaders), Middleware(LocalOnly)],
        exception_handlers={
            HTTPException: _http_error,
            PortsupError: refusal,
            Exception: _internal_error,
        },
        lifespan=_lifespan,
    )
    app.router.redirect_slashes = False
    return app


def _in_both_versions(path: str, endpoint: Endpoint, **options: Any) -> list[Route]:
    """Under /api/v1, and as those know it who came before there were versions."""
    return [Route(f"{prefix}{path}", endpoint, **options) for prefix in (V1, "/api")]


@asynccontextmanager
async def _lifespan(_app: Starlette) -> AsyncIterator[dict[str, Any]]:
    async with health.make_client() as client:
        yield {"client": client}


class _Api:
    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._service = environ.get("PORTSUP_SERVICE", "portsup serve")
        self._instance = whole_number(environ.get("PORTSUP_INSTANCE"))

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
        seen = await to_thread.run_sync(instances.snapshots, self._folder)
        return AsciiJSON({**snapshot.document(seen), "services": instances.flat(seen)})

    async def aggregated_health(self, request: Request) -> Response:
        deadline = time.monotonic() + HEALTH_SECONDS
        wanted = _filter(request.query_params)
        seen = await to_thread.run_sync(instances.snapshots, self._folder, wanted)
        services = await health.ask_everyone(request.state.client, seen, deadline)
        status = health.overall(seen, [service["status"] for service in services])
        return AsciiJSON(
            {
                "schema": snapshot.SCHEMA,
                "status": status,
                "instances": [{**instances.whose(one), "state": one.state} for one in seen],
                "services": services,
            },
            status_code=200 if status == "ok" else 503,
        )

    async def tracing_stats(self, _request: Request) -> Response:
        timed = await to_thread.run_sync(instances.timings, self._folder)
        return AsciiJSON({"schema": snapshot.SCHEMA, "instances": timed})


def _filter(query: Mapping[str, str]) -> instances.Filter:
    instance = query.get("instance")
    number = whole_number(instance)
    if instance is not None and number is None:
        raise HTTPException(400, "instance must be a whole number")
    return instances.Filter(number, query.get("stack"), query.get("id"))


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return AsciiJSON({"error": error.detail}, status_code=error.status_code, headers=error.headers)


async def _internal_error(_request: Request, error: Exception) -> Response:
    return AsciiJSON({"error": f"portsup serve failed inside ({type(error).__name__})"}, status_code=500)
