"""The endpoint that changes something: start, stop and restart of one service.

What it does is the instance's business and is carried through there, whether or not somebody waits.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from supervisor import snapshot
from supervisor.control.client import REACHED, Client, read_services
from supervisor.errors import ExitCode, NotRunning, PortsupError
from supervisor.monitor import instances
from supervisor.records import InstanceRecord
from supervisor.snapshot import ServiceSnapshot
from supervisor.web import token
from supervisor.web.answers import HINTS, AsciiJSON, whole_number

PATH = "/instances/{number}/services/{name}/{verb}"

WAIT_SECONDS = 60.0
"""How long a caller is kept waiting; the call itself goes on."""

ANSWER_SECONDS = 5.0
"""For the rest of an answer that has begun."""

STATUS: dict[int, int] = {ExitCode.USAGE: 404, ExitCode.INTERNAL: 500}
"""Of errors by their exit code; whatever else an instance refuses is in conflict with how things are."""


class Changes:
    def __init__(self, folder: Path, token_file: Path, own: tuple[str | None, str | None]) -> None:
        """`own` is the server's instance id and name as a service: it can't wait for its own end."""
        self._folder = folder
        self._token_file = token_file
        self._own = own

    async def answer(self, request: Request) -> Response:
        """200 when the service is where it was to go, 503 if it isn't, 202 if that takes longer."""
        verb, name = request.path_params["verb"], request.path_params["name"]
        if verb not in REACHED:
            raise HTTPException(404)
        authorizations = [value for key, value in request.headers.raw if key == b"authorization"]
        await to_thread.run_sync(token.check, self._token_file, authorizations)
        wanted = instances.Filter(
            _number(request), request.query_params.get("stack"), request.query_params.get("id")
        )
        record = await to_thread.run_sync(instances.only, self._folder, wanted, HINTS)
        services = await self._call(record, verb, name)
        reached = services is not None and all(map(REACHED[verb], services))
        return AsciiJSON(
            {
                "schema": snapshot.SCHEMA,
                **instances.whose(record),
                "done": services is not None,
                "services": [service.to_json() for service in services or ()],
            },
            status_code=202 if services is None else 200 if reached else 503,
        )

    async def _call(self, record: InstanceRecord, verb: str, name: str) -> list[ServiceSnapshot] | None:
        """The service afterwards; None if it isn't known yet. Raises PortsupError."""
        with await to_thread.run_sync(Client, record) as connection:
            id_ = connection.ask(verb, {"services": [name]})
            if verb != "start" and self._own == (record.instance_id, name):
                return None
            try:
                async with asyncio.timeout(WAIT_SECONDS):
                    await _readable(connection.fileno())
            except TimeoutError:
                return None
            deadline = time.monotonic() + ANSWER_SECONDS
            return read_services(record, await to_thread.run_sync(connection.answer, id_, deadline))


def _number(request: Request) -> int:
    number = whole_number(request.path_params["number"])
    if number is None:
        raise HTTPException(400, "the instance must be a whole number")
    return number


async def _readable(descriptor: int) -> None:
    """Without a thread: a start may take its time, and many may wait."""
    readable = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(descriptor)


async def refusal(_request: Request, error: Exception) -> Response:
    """What a PortsupError looks like over HTTP."""
    assert isinstance(error, PortsupError)
    body = {"error": error.message, "details": list(error.details), "hint": error.hint}
    headers = {"WWW-Authenticate": "Bearer"} if isinstance(error, token.UnauthorizedError) else None
    return AsciiJSON(body, status_code=_status(error), headers=headers)


def _status(error: PortsupError) -> int:
    match error:
        case token.UnauthorizedError():
            return 401
        case token.TokenFileError():
            return 500
        case NotRunning():
            return 503
        case _:
            return STATUS.get(error.exit_code, 409)
