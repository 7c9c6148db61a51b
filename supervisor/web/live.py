"""The endpoint that tells everything as it changes: one sampler, however many watch.

Nothing is queued for anybody. Each client knows what it was told last and is told what is current, so that
one who reads slowly misses steps, not the state, and costs no more memory than the others.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from supervisor.monitor.events import Event
from supervisor.monitor.history import History
from supervisor.monitor.usage import ServiceKey, Usage
from supervisor.web import asked, sse
from supervisor.web.events import in_order
from supervisor.web.sampler import OLD_EVENTS, Sample

EVERY_SECONDS = 1.0
"""Between two looks while somebody watches."""

IDLE_SECONDS = 15.0
"""While nobody does: who comes then finds a history."""

FRESH_SECONDS = 2.0
"""An older view is from when nobody watched."""

WATCHERS_MOST = 200
"""Every user of the machine may watch, and descriptors are few."""

RETRY_MS = 1000

EVENTS_KEPT = 1000
"""A client that is further behind misses some."""


@dataclass(slots=True)
class _Told:
    """What a client knows, as the numbers of what is current in Live."""

    view: int = 0
    sample: int = 0
    events: int = 0


class _Look(NamedTuple):
    sample: Sample
    view: bytes
    usage: bytes
    """Both as events."""
    shown: Any
    """What of the view makes it another one."""


class Live:
    def __init__(self, sample: Callable[[], Sample], ending: asyncio.Event) -> None:
        """`sample` is called in a thread. Streams end when `ending` is set, and `wake` was called."""
        self._sample = sample
        self._ending = ending
        self._history = History()
        self._events: deque[Event] = deque(maxlen=EVENTS_KEPT)
        self._current = _Told()
        self._view = self._usage = b""
        self._shown: Any = None
        self._sampled_at = float("-inf")
        self._watchers = 0
        self._came = asyncio.Event()
        self._news = asyncio.Event()
        self._failure: str | None = None

    async def answer(self, request: Request) -> Response:
        asked.query(request)
        if self._watchers >= WATCHERS_MOST:
            raise HTTPException(503, f"{self._watchers} clients watch already")
        return sse.answer(request, self.stream())

    def wake(self) -> None:
        """Everyone who waits for news, to look."""
        self._news.set()
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Sample until cancelled, whatever one sample fails with."""
        while True:
            try:
                self._take(await to_thread.run_sync(self._look, abandon_on_cancel=True))
                self.wake()
            except Exception as failure:
                self._complain(failure)
            await self._pause(time.monotonic())

    def _look(self) -> _Look:
        """In a thread."""
        sample = self._sample()
        view, usage = sse.event("view", sample.view), sse.event("usage", _usage(sample))
        return _Look(sample, view, usage, _without_uptimes(sample.view))

    async def _pause(self, since: float) -> None:
        """Until the next sample is due: that changes when somebody comes."""
        while (left := since + self._interval - time.monotonic()) > 0:
            self._came.clear()
            await sse.within(left, self._came)

    @property
    def _interval(self) -> float:
        return EVERY_SECONDS if self._watchers else IDLE_SECONDS

    def _complain(self, failure: Exception) -> None:
        """Once for as long as it stays the same."""
        said = f"portsup: cannot look at the instances: {type(failure).__name__}: {failure}"
        if said != self._failure:
            logging.getLogger("uvicorn.error").error(said)
        self._failure = said

    def _take(self, look: _Look) -> None:
        self._failure = None
        self._sampled_at = time.monotonic()
        self._history.add(look.sample.time, look.sample.usage)
        self._view, self._usage = look.view, look.usage
        self._events += look.sample.events
        self._current = _Told(
            view=self._current.view + (look.shown != self._shown),
            sample=self._current.sample + 1,
            events=self._current.events + len(look.sample.events),
        )
        self._shown = look.shown

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """What one client is told."""
        yield sse.retry(RETRY_MS)
        told: _Told | None = None
        with self._watching():
            while not self._ending.is_set():
                news = self._news
                if told is None and self._is_fresh():
                    told = _Told(self._current.view, events=max(0, self._current.events - OLD_EVENTS))
                    yield self._view
                    yield await self._all_history()
                if told is not None:
                    for event in self._untold(told):
                        yield event
                if not await sse.within(sse.QUIET_SECONDS, news):
                    yield sse.COMMENT

    @contextmanager
    def _watching(self) -> Iterator[None]:
        self._watchers += 1
        self._came.set()
        try:
            yield
        finally:
            self._watchers -= 1

    def _is_fresh(self) -> bool:
        return bool(self._view) and time.monotonic() < self._sampled_at + FRESH_SECONDS

    def _untold(self, told: _Told) -> Iterator[bytes]:
        """What is current now and wasn't told; `told` is kept."""
        if told.view != self._current.view:
            told.view = self._current.view
            yield self._view
        if told.sample != self._current.sample:
            told.sample = self._current.sample
            yield self._usage
        if told.events != self._current.events:
            missing = min(self._current.events - told.events, len(self._events))
            told.events = self._current.events
            newest = islice(self._events, len(self._events) - missing, None)
            yield sse.event("events", {"events": [event.to_json() for event in in_order(newest)]})

    async def _all_history(self) -> bytes:
        """Copied at once, and encoded in a thread: it is long, and grows meanwhile."""
        points = {key: list(of_service) for key, of_service in self._history.points().items()}
        return await to_thread.run_sync(_history, points)


def _without_uptimes(view: Mapping[str, Any]) -> Any:
    """What of a view is worth telling: uptimes grow by themselves."""
    return view["strips"], [
        {**instance, "services": [{**service, "uptime_s": None} for service in instance["services"]]}
        for instance in view["instances"]
    ]


def _usage(sample: Sample) -> dict[str, Any]:
    return {
        "time": round(sample.time, 3),
        "services": [{**key._asdict(), **_figures(usage)} for key, usage in sample.usage.items()],
    }


def _figures(usage: Usage) -> dict[str, Any]:
    cpu = None if usage.cpu is None else round(usage.cpu, 4)
    return {"cpu": cpu, "memory": usage.memory, "processes": usage.processes}


def _history(points: Mapping[ServiceKey, list[Any]]) -> bytes:
    services = [
        {
            **key._asdict(),
            "points": [
                (round(time, 3), None if cpu is None else round(cpu, 4), memory)
                for time, cpu, memory in of_service
            ],
        }
        for key, of_service in points.items()
    ]
    return sse.event("history", {"services": services})
