"""The endpoints that tell what a service printed: its last lines, or those and whatever comes.

Not everybody may read that: it needs the token. Lines pass through in batches, each read in a thread, and
the next one only when the client has taken the one before: a log of any length costs the same memory.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from supervisor import snapshot
from supervisor.control.client import Client, read_snapshot
from supervisor.errors import PortsupError, UsageError
from supervisor.monitor import instances
from supervisor.monitor.service_log import LogFollower
from supervisor.records import InstanceRecord
from supervisor.web import asked, sse
from supervisor.web.answers import Stream, ascii_json
from supervisor.web.refusals import body_of

USUAL = 1000
"""Lines, where nobody says how many."""

MOST = 10_000
"""Lines of one answer."""

MOST_STREAMED = 1_000_000

BATCH = 2000
"""Lines that are read at a time."""

LATEST = 2**53 - 1
"""Milliseconds since 1970 that every client's numbers can carry."""

POLL_SECONDS = 0.1
"""Between two looks at a log that is followed."""


class Logs:
    def __init__(self, folder: Path, token_file: Path, ending: asyncio.Event) -> None:
        """Streams end when `ending` is set."""
        self._folder = folder
        self._token_file = token_file
        self._ending = ending

    async def answer(self, request: Request) -> Response:
        """The last lines, as one JSON document."""
        await asked.authorize(request, self._token_file)
        given = asked.query(request, "lines", "since", *asked.WHICH)
        lines = asked.count(given, "lines", USUAL, MOST)
        since = asked.count(given, "since", 0, LATEST) if "since" in given else None
        record = await self._record(request, given)
        name = request.path_params["name"]
        follower = await to_thread.run_sync(lambda: LogFollower(record, name, lines=lines, since=since))
        head = {"schema": snapshot.SCHEMA, **instances.whose(record), "service": name}
        return Stream(_document(head, follower, lines), "application/json")

    async def stream(self, request: Request) -> Response:
        """The last lines, then each that is printed."""
        await asked.authorize(request, self._token_file)
        given = asked.query(request, "lines", *asked.WHICH)
        lines = asked.count(given, "lines", USUAL, MOST_STREAMED)
        record = await self._record(request, given)
        return sse.answer(request, self._follow(record, request.path_params["name"], lines))

    async def _record(self, request: Request, given: Mapping[str, str]) -> InstanceRecord:
        """The instance that is meant, which has the service. Raises HTTPException and PortsupError."""
        record = await asked.instance(request, self._folder, given)
        await to_thread.run_sync(_check_service, record, request.path_params["name"])
        return record

    async def _follow(self, record: InstanceRecord, name: str, lines: int) -> AsyncGenerator[bytes, None]:
        try:
            follower = await to_thread.run_sync(lambda: LogFollower(record, name, lines=lines))
            try:
                async for event in self._news(follower):
                    yield event
            finally:
                follower.close()
        except PortsupError as failure:
            yield sse.event("failure", body_of(failure))

    async def _news(self, follower: LogFollower) -> AsyncIterator[bytes]:
        told_at = time.monotonic()
        while not self._ending.is_set():
            if lines := await to_thread.run_sync(_lines, follower, BATCH):
                yield await to_thread.run_sync(sse.event, "lines", {"lines": lines})
                told_at = time.monotonic()
            elif time.monotonic() > told_at + sse.QUIET_SECONDS:
                yield sse.COMMENT
                told_at = time.monotonic()
            else:
                await sse.within(POLL_SECONDS, self._ending)


def _check_service(record: InstanceRecord, name: str) -> None:
    """Raises UsageError if it has no such service, NotRunning if it doesn't answer."""
    with Client(record) as client:
        services = [service.name for service in read_snapshot(record, client.call("snapshot")).services]
    if name not in services:
        raise UsageError(f"there is no service {name!r}", hint=f"the stack has {', '.join(services)}")


async def _document(
    head: Mapping[str, Any], follower: LogFollower, limit: int
) -> AsyncGenerator[bytes, None]:
    """`head` with "lines": at most `limit`, those that are printed meanwhile among them."""
    try:
        yield ascii_json(head).removesuffix(b"}") + b', "lines": ['
        separator = b""
        async for lines in _batches(follower, limit):
            yield separator + (await to_thread.run_sync(ascii_json, lines))[1:-1]
            separator = b", "
        yield b"]}"
    finally:
        follower.close()


async def _batches(follower: LogFollower, limit: int) -> AsyncIterator[list[dict[str, Any]]]:
    """Up to `limit` lines, of which the last one may have no end yet; none is empty."""
    while limit > 0 and (lines := await to_thread.run_sync(_lines, follower, min(limit, BATCH))):
        yield lines
        limit -= len(lines)
    if rest := follower.finish()[:limit]:
        yield [line.to_json() for line in rest]


def _lines(follower: LogFollower, limit: int) -> list[dict[str, Any]]:
    return [line.to_json() for line in follower.more(limit)]
