"""What there is to see, looked at once a second. Blocks: not for the thread that draws."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from supervisor.control import registry
from supervisor.errors import PortsupError
from supervisor.monitor import pools
from supervisor.monitor.event_feed import EventFeed, Happened
from supervisor.monitor.history import History, Point
from supervisor.monitor.pools import Strip
from supervisor.monitor.usage import ServiceKey, Usage, UsageMeter
from supervisor.records import InstanceRecord
from supervisor.snapshot import InstanceSnapshot

TIMEOUT = 0.5
"""Seconds in which all supervisors together must have answered: one that hangs delays the others by that."""

FIRST_EVENTS = 200
"""Of each instance, from before this program was started."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which instances are shown: those in a lock folder, all or those of one services.toml."""

    folder: Path
    config: Path | None = None
    instance: int | None = None

    def records(self) -> list[InstanceRecord]:
        """Dead supervisors' too, whose leftovers hold ports, and those of other users."""
        found = registry.instances(self.folder, config=self.config, include_dead=True)
        return [record for record in found if self.instance in (None, record.instance)]


class InstanceId(NamedTuple):
    """Another user's record may name any instance id."""

    uid: int
    instance_id: str


class Seen(NamedTuple):
    record: InstanceRecord
    snapshot: InstanceSnapshot

    @property
    def id(self) -> InstanceId:
        return InstanceId(self.record.uid, self.record.instance_id)


class Look(NamedTuple):
    """Everything as it was at one moment."""

    instances: Sequence[Seen]
    usage: Mapping[ServiceKey, Usage]
    points: Mapping[ServiceKey, Sequence[Point]]
    strips: Sequence[Strip]
    happened: Sequence[Happened]
    """Since the look before, in order of time."""


class Watcher:
    """Looks, and remembers what curves and the events need. One thread at a time."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._meter = UsageMeter()
        self._history = History()
        self._feed = EventFeed(FIRST_EVENTS)

    def look(self) -> Look:
        """Raises PortsupError if there is no descriptor to look with; the next look may have one."""
        try:
            return self._look()
        except OSError as failure:
            raise PortsupError(f"cannot look: {failure.strerror}") from failure

    def _look(self) -> Look:
        records = self._scope.records()
        snapshots = registry.snapshots_of(records, timeout=TIMEOUT)
        usage = self._meter.measure(snapshots)
        self._history.add(time.time(), usage)
        return Look(
            [Seen(*pair) for pair in zip(records, snapshots, strict=True)],
            usage,
            self._history.points(),
            pools.strips(self._scope.folder, snapshots),
            self._feed.more(records),
        )

    def close(self) -> None:
        self._feed.close()
