"""What people look at: the page, its files, and for those without a browser a list of the endpoints."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.staticfiles import StaticFiles

from supervisor.web import asked
from supervisor.web.answers import AsciiJSON
from supervisor.web.openapi import DOCUMENT

INDEX = """portsup: what runs on this machine

A browser gets a page here, and the endpoints explained at /api/docs. For everybody else:

GET /api/v1/health             this server itself
GET /api/v1/services           every service of every instance: port, pid, state, url
GET /api/v1/health/aggregated  the health of every service, asked now (?instance=N, ?stack=NAME, ?id=ID)
GET /api/v1/tracing/stats      how long claims, spawns, readiness and stops took
GET /api/v1/events             what happened last (?limit=N)
GET /api/v1/live               all of it as it changes, as server-sent events
GET /metrics                   the same facts for Prometheus
GET /api/v1/openapi.json       all of this, for programs

GET /api/v1/instances/N/services/NAME/logs         what a service printed last (?lines=N, ?since=MS)
GET /api/v1/instances/N/services/NAME/logs/stream  and whatever it prints from then on
POST /api/v1/instances/N/services/NAME/start       start, stop or restart a service, and wait until that
POST /api/v1/instances/N/services/NAME/stop        is done (?stack=NAME or ?id=ID where several stacks
POST /api/v1/instances/N/services/NAME/restart     have an instance N)

These five want the header Authorization: Bearer TOKEN, with the token of the file that `portsup serve`
names when it starts.
"""

_FILES = StaticFiles(directory=Path(__file__).parent / "static", check_dir=False)


async def front(request: Request) -> Response:
    """The page for whoever accepts HTML; the text for curl, which accepts anything."""
    if "text/html" in request.headers.get("accept", ""):
        answer = await _FILES.get_response("index.html", request.scope)
    else:
        answer = PlainTextResponse(INDEX)
    answer.headers["Vary"] = "Accept"
    return answer


async def docs(request: Request) -> Response:
    """The API, to be read."""
    return await _FILES.get_response("docs.html", request.scope)


async def openapi(request: Request) -> Response:
    """The API, to be read by programs."""
    asked.query(request)
    return AsciiJSON(DOCUMENT)


async def static_file(request: Request) -> Response:
    """Raises HTTPException 404 for whatever isn't a file in static/, which has no folders."""
    return await _FILES.get_response(request.path_params["name"], request.scope)
