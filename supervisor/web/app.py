"""The endpoints. What GET answers changes nothing; POST is `changes.py`."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
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
from supervisor.control.client import REACHED
from supervisor.errors import PortsupError
from supervisor.loopback.host_check import LocalOnly
from supervisor.monitor import instances
from supervisor.web import asked, health, page, refusals
from supervisor.web.answer_headers import AnswerHeaders
from supervisor.web.answers import AsciiJSON, whole_number
from supervisor.web.changes import Changes
from supervisor.web.events import Events
from supervisor.web.live import Live
from supervisor.web.logs import Logs
from supervisor.web.metrics import Metrics
from supervisor.web.sampler import Sampler

Endpoint = Callable[[Request], Awaitable[Response]]

V1 = "/api/v1"

SERVICE = "/instances/{number}/services/{name}"

HEALTH_SECONDS = 2.0
"""In which the aggregated health is answered, whoever hangs."""


def make_app(folder: Path, environ: Mapping[str, str] = os.environ) -> Starlette:
    """The app over the lock folder `folder`; `environ` tells which service it is itself.

    `app.state.end_streams` is to be called before whoever serves it waits for open connections.
    """
    ending = asyncio.Event()
    live = Live(Sampler(folder).sample, ending)

    def end_streams() -> None:
        ending.set()
        live.wake()

    app = Starlette(
        routes=[
            *_pages(),
            Route("/metrics", Metrics(folder).answer),
            *_facts(_Api(folder, environ)),
            Route(f"{V1}/events", Events(folder).answer),
            Route(f"{V1}/live", live.answer),
            *_services(folder, environ, ending),
        ],
        middleware=[Middleware(AnswerHeaders), Middleware(LocalOnly)],
        exception_handlers={
            HTTPException: refusals.of_http,
            PortsupError: refusals.of_portsup,
            OSError: refusals.of_system,
            Exception: refusals.of_ours,
        },
        lifespan=partial(_lifespan, live),
    )
    app.router.redirect_slashes = False
    app.state.end_streams = end_streams
    return app


def _pages() -> list[Route]:
    return [
        Route("/", page.front),
        Route("/static/{name}", page.static_file),
        Route("/api/docs", page.docs),
        Route(f"{V1}/openapi.json", page.openapi),
    ]


def _facts(api: _Api) -> list[Route]:
    return [
        *_in_both_versions("/health", api.health),
        *_in_both_versions("/services", api.services),
        *_in_both_versions("/health/aggregated", api.aggregated_health),
        *_in_both_versions("/tracing/stats", api.tracing_stats),
    ]


def _services(folder: Path, environ: Mapping[str, str], ending: asyncio.Event) -> list[Route]:
    """What needs the token."""
    token_file = paths.api_token_file(environ)
    own = environ.get("PORTSUP_INSTANCE_ID"), environ.get("PORTSUP_SERVICE")
    changes = Changes(folder, token_file, own)
    logs = Logs(folder, token_file, ending)
    return [
        *(
            route
            for verb in REACHED
            for route in _in_both_versions(
                f"{SERVICE}/{verb}", partial(changes.answer, verb), methods=["POST"]
            )
        ),
        Route(f"{V1}{SERVICE}/logs", logs.answer),
        Route(f"{V1}{SERVICE}/logs/stream", logs.stream),
    ]


def _in_both_versions(path: str, endpoint: Endpoint, **options: Any) -> list[Route]:
    """Under /api/v1, and as those know it who came before there were versions."""
    return [Route(f"{prefix}{path}", endpoint, **options) for prefix in (V1, "/api")]


@asynccontextmanager
async def _lifespan(live: Live, _app: Starlette) -> AsyncIterator[dict[str, Any]]:
    sampling = asyncio.create_task(live.run())
    try:
        async with health.make_client() as client:
            yield {"client": client}
    finally:
        sampling.cancel()


class _Api:
    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._service = environ.get("PORTSUP_SERVICE", "portsup serve")
        self._instance = whole_number(environ.get("PORTSUP_INSTANCE"))

    async def health(self, request: Request) -> Response:
        asked.query(request)
        return AsciiJSON(
            {
                "status": "ok",
                "service": self._service,
                "instance": self._instance,
                "port": request.scope["server"][1],
                "pid": os.getpid(),
            }
        )

    async def services(self, request: Request) -> Response:
        asked.query(request)
        seen = await to_thread.run_sync(instances.snapshots, self._folder)
        return AsciiJSON({**snapshot.document(seen), "services": instances.flat(seen)})

    async def aggregated_health(self, request: Request) -> Response:
        deadline = time.monotonic() + HEALTH_SECONDS
        wanted = asked.any_instances(asked.query(request, "instance", *asked.WHICH))
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

    async def tracing_stats(self, request: Request) -> Response:
        asked.query(request)
        timed = await to_thread.run_sync(instances.timings, self._folder)
        return AsciiJSON({"schema": snapshot.SCHEMA, "instances": timed})
