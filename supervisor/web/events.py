"""The endpoint that tells what happened in all instances."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from operator import attrgetter
from pathlib import Path

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from supervisor import snapshot
from supervisor.monitor import instances
from supervisor.monitor.events import Event, EventFollower
from supervisor.web import asked
from supervisor.web.answers import AsciiJSON

USUAL, MOST = 200, 1000
"""How many are told."""


def in_order(events: Iterable[Event]) -> list[Event]:
    return sorted(events, key=attrgetter("time"))


def recent(folder: Path, wanted: instances.Filter, limit: int) -> list[Event]:
    """The last `limit` events of all `wanted` instances that run, in order of time."""
    found: list[Event] = []
    for record in instances.visible(folder, wanted):
        with closing(EventFollower(record, last=limit)) as follower:
            found += follower.drain()
    return in_order(found)[max(0, len(found) - limit) :]


class Events:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def answer(self, request: Request) -> Response:
        given = asked.query(request, "limit", "instance", *asked.WHICH)
        limit = asked.count(given, "limit", USUAL, MOST)
        found = await to_thread.run_sync(recent, self._folder, asked.any_instances(given), limit)
        return AsciiJSON({"schema": snapshot.SCHEMA, "events": [event.to_json() for event in found]})
