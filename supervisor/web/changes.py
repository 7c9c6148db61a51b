"""The endpoint that changes something: start, stop and restart of one service.

What it does is the instance's business and is carried through there, whether or not somebody waits.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from supervisor import snapshot
from supervisor.control.client import REACHED, Client, read_services
from supervisor.monitor import instances
from supervisor.readable import readable
from supervisor.records import InstanceRecord
from supervisor.snapshot import ServiceSnapshot
from supervisor.web import asked
from supervisor.web.answers import AsciiJSON

WAIT_SECONDS = 60.0
"""How long a caller is kept waiting; the call itself goes on."""

ANSWER_SECONDS = 5.0
"""For the rest of an answer that has begun."""


class Changes:
    def __init__(self, folder: Path, token_file: Path, own: tuple[str | None, str | None]) -> None:
        """`own` is the server's instance id and name as a service: it can't wait for its own end."""
        self._folder = folder
        self._token_file = token_file
        self._own = own

    async def answer(self, verb: str, request: Request) -> Response:
        """200 when the service is where it was to go, 503 if it isn't, 202 if that takes longer."""
        name = request.path_params["name"]
        await asked.authorize(request, self._token_file)
        record = await asked.instance(request, self._folder, asked.query(request, *asked.WHICH))
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
                    await readable(connection.fileno())
            except TimeoutError:
                return None
            deadline = time.monotonic() + ANSWER_SECONDS
            return read_services(record, await to_thread.run_sync(connection.answer, id_, deadline))
