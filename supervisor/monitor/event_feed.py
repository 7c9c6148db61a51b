"""What happens in all instances that are there, whichever come and go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from supervisor.monitor.events import Event, EventFollower
from supervisor.records import InstanceRecord


class Happened(NamedTuple):
    record: InstanceRecord
    """The instance's."""
    event: Event


class EventFeed:
    """Follows each instance from when it is first seen until it is gone. Not for several threads at once."""

    def __init__(self, last: int) -> None:
        """`last`: how many events of each are told from before it was seen."""
        self._last = last
        self._followed: dict[tuple[int, str], tuple[InstanceRecord, EventFollower]] = {}
        """By user and instance id: another user's record may name any instance."""

    def more(self, present: Iterable[InstanceRecord]) -> list[Happened]:
        """What has come since, in order of time: of those that are `present`, and the last of those that
        aren't any more. These have written it: the records were read before."""
        there = {(record.uid, record.instance_id): record for record in present}
        for key in there.keys() - self._followed.keys():
            self._followed[key] = there[key], EventFollower(there[key], last=self._last)
        found = sorted(self._news(), key=lambda one: one.event.time)
        for gone in self._followed.keys() - there.keys():
            self._followed.pop(gone)[1].close()
        return found

    def _news(self) -> Iterator[Happened]:
        for record, follower in self._followed.values():
            for event in follower.drain():
                yield Happened(record, event)

    def close(self) -> None:
        for _, follower in self._followed.values():
            follower.close()
        self._followed.clear()
