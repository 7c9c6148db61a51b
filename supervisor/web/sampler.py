"""Looking at all instances at once: what the page shows of them at one moment."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from supervisor import snapshot
from supervisor.control import registry
from supervisor.monitor import instances, pools
from supervisor.monitor.events import Event, EventFollower
from supervisor.monitor.usage import ServiceKey, Usage, UsageMeter
from supervisor.records import InstanceRecord
from supervisor.snapshot import InstanceSnapshot
from supervisor.web.events import drain, in_order

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
        self._followers: dict[tuple[int, str], EventFollower] = {}

    def sample(self) -> Sample:
        records = instances.visible(self._folder)
        seen = registry.snapshots_of(records, timeout=instances.TIMEOUT)
        now = time.time()
        usage = self._meter.measure(seen)
        return Sample(now, _view(now, self._folder, records, seen), usage, self._events(records))

    def _events(self, records: Iterable[InstanceRecord]) -> list[Event]:
        """Of an instance that is gone, its last ones."""
        live = {(record.uid, record.instance_id): record for record in records}
        for key, record in live.items():
            if key not in self._followers:
                self._followers[key] = EventFollower(record, last=OLD_EVENTS)
        found = in_order(event for follower in self._followers.values() for event in drain(follower))
        for gone in self._followers.keys() - live.keys():
            self._followers.pop(gone).close()
        return found


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
                "logs_readable": os.access(record.logs, os.R_OK | os.X_OK),
            }
            for record, instance in zip(records, seen, strict=True)
        ],
        "strips": [strip.to_json() for strip in pools.strips(folder, seen)],
    }
