"""Looking at all instances at once: what the page shows of them at one moment."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from supervisor import snapshot
from supervisor.control import registry
from supervisor.monitor import instances, pools
from supervisor.monitor.event_feed import EventFeed
from supervisor.monitor.events import Event
from supervisor.monitor.usage import ServiceKey, Usage, UsageMeter
from supervisor.records import InstanceRecord
from supervisor.snapshot import InstanceSnapshot

OLD_EVENTS = 200
"""Of an instance that is seen for the first time."""


class Sample(NamedTuple):
    time: float
    """Seconds since 1970."""
    view: Mapping[str, Any]
    """As `GET /api/v1/live` tells it."""
    usage: Mapping[ServiceKey, Usage]
    events: Sequence[Event]
    """New ones, in order of time."""


class Sampler:
    """Blocks, and is not for several threads at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._meter = UsageMeter()
        self._feed = EventFeed(OLD_EVENTS)

    def sample(self) -> Sample:
        records = instances.visible(self._folder)
        seen = registry.snapshots_of(records, timeout=instances.TIMEOUT)
        now = time.time()
        usage = self._meter.measure(seen)
        view = _view(now, self._folder, records, seen)
        # Last of all: what the feed has told once, it won't tell again.
        return Sample(now, view, usage, [happened.event for happened in self._feed.more(records)])


def _view(
    now: float, folder: Path, records: Sequence[InstanceRecord], seen: Sequence[InstanceSnapshot]
) -> dict[str, Any]:
    return {
        "schema": snapshot.SCHEMA,
        "time": now,
        "instances": [
            {
                **instance.to_json(),
                "worktree": record.worktree,
                "logs_readable": _is_readable(record.logs),
            }
            for record, instance in zip(records, seen, strict=True)
        ],
        "strips": [strip.to_json() for strip in pools.strips(folder, seen)],
    }


def _is_readable(folder: str) -> bool:
    try:
        return os.access(folder, os.R_OK | os.X_OK)
    except ValueError:  # what no path can hold: anybody may write a record
        return False
