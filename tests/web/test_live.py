"""The sampler and what its clients are told, where samples fail or clients fall behind."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from harness import wait_until

from supervisor.monitor.events import Event
from supervisor.monitor.usage import ServiceKey, Usage
from supervisor.web import live, sse
from supervisor.web.live import EVENTS_KEPT, Live
from supervisor.web.sampler import OLD_EVENTS, Sample

KEY = ServiceKey("test-1-abc123", "api")


def sample(number: int, events: int = 0) -> Sample:
    view = {"schema": 1, "time": float(number), "instances": [], "strips": [number]}
    happened = [
        Event(float(one), "info", "unit.running", str(one), KEY.instance_id, KEY.name, {})
        for one in range(events)
    ]
    return Sample(float(number), view, {KEY: Usage(0.5, 1.0, 1000, 1)}, happened)


class Samples:
    """Each number is a sample of its own, or fails."""

    def __init__(self, *failing: int, events: int = 0) -> None:
        self._failing = failing
        self._events = events
        self.taken = 0

    def __call__(self) -> Sample:
        self.taken += 1
        if self.taken in self._failing:
            raise OSError("the disk is on fire")
        return sample(self.taken, self._events)


async def read(stream: AsyncIterator[bytes]) -> tuple[str, Any]:
    """The next event, by name and data."""
    async for chunk in stream:
        name, _, data = chunk.decode().partition("\ndata: ")
        if data:
            return name.removeprefix("event: "), json.loads(data)
    raise AssertionError("the stream ended")


async def find(stream: AsyncIterator[bytes], name: str) -> Any:
    while (event := await read(stream))[0] != name:
        pass
    return event[1]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "EVERY_SECONDS", 0.01)
    monkeypatch.setattr(live, "IDLE_SECONDS", 0.02)


def test_a_sample_may_fail(caplog: pytest.LogCaptureFixture) -> None:
    """The first, and later ones: it goes on, and says so once for as long as it is the same failure."""

    async def run() -> None:
        watched = Live(Samples(1, 2, 3, 5), asyncio.Event())
        sampling = asyncio.create_task(watched.run())
        stream = watched.stream()
        assert (await find(stream, "view"))["time"] >= 4
        while (await find(stream, "usage"))["time"] < 6:
            pass
        sampling.cancel()
        await stream.aclose()

    asyncio.run(asyncio.wait_for(run(), 20))
    told = "portsup: cannot look at the instances: OSError: the disk is on fire"
    assert [one.message for one in caplog.records] == [told, told]


def test_a_client_is_kept_where_samples_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comments go on: they tell either side that the other is there."""
    monkeypatch.setattr(sse, "QUIET_SECONDS", 0.1)

    async def run() -> None:
        samples = Samples(*range(1000))
        watched = Live(samples, asyncio.Event())
        sampling = asyncio.create_task(watched.run())
        stream = watched.stream()
        assert await anext(stream) == b"retry: 1000\n\n"
        assert [await anext(stream), await anext(stream)] == [sse.COMMENT, sse.COMMENT]
        sampling.cancel()
        await stream.aclose()

    asyncio.run(asyncio.wait_for(run(), 5))


def test_who_falls_behind_misses_steps() -> None:
    """What a client that comes back is told next is the present, not all that it missed."""

    async def run() -> None:
        samples = Samples(events=100)
        watched = Live(samples, asyncio.Event())
        sampling = asyncio.create_task(watched.run())
        slow, quick = watched.stream(), watched.stream()
        assert len((await find(slow, "events"))["events"]) <= OLD_EVENTS
        before = samples.taken
        while samples.taken < before + 2 * EVENTS_KEPT / 100:
            await find(quick, "usage")
        assert (await find(slow, "view"))["time"] >= samples.taken - 2
        assert (await read(slow))[0] == "usage"
        name, data = await read(slow)
        assert (name, len(data["events"])) == ("events", EVENTS_KEPT)
        assert [one["time"] for one in data["events"]] == sorted(one["time"] for one in data["events"])
        sampling.cancel()
        await slow.aclose()
        await quick.aclose()

    asyncio.run(asyncio.wait_for(run(), 20))


def test_nobody_watches_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it looks as seldom as before, and whoever comes next is shown the present."""

    async def run() -> None:
        samples = Samples()
        watched = Live(samples, asyncio.Event())
        sampling = asyncio.create_task(watched.run())
        stream = watched.stream()
        await find(stream, "usage")
        monkeypatch.setattr(live, "IDLE_SECONDS", 3600.0)
        await stream.aclose()
        taken = samples.taken
        later = time.monotonic() + 0.1
        await asyncio.to_thread(wait_until, lambda: time.monotonic() > later, 5)
        assert samples.taken <= taken + 1
        monkeypatch.setattr(live, "FRESH_SECONDS", 0.05)
        stream = watched.stream()
        assert (await find(stream, "view"))["time"] > taken
        history = await find(stream, "history")
        assert len(history["services"][0]["points"]) == samples.taken
        sampling.cancel()
        await stream.aclose()

    asyncio.run(asyncio.wait_for(run(), 20))


def test_streams_end() -> None:
    """All of them, those that wait for a first sample too."""

    async def run() -> None:
        ending = asyncio.Event()
        watched = Live(Samples(), ending)
        stream = watched.stream()
        assert await anext(stream) == b"retry: 1000\n\n"
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        ending.set()
        watched.wake()
        with pytest.raises(StopAsyncIteration):
            await waiting

    asyncio.run(asyncio.wait_for(run(), 20))
