"""What happened in an instance: its supervisor's event log, read and followed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from supervisor.records import InstanceRecord


class Event(NamedTuple):
    time: float
    """Seconds since 1970."""
    level: str
    """"debug", "info", "warning" or "error"."""
    kind: str
    """"instance.claimed", "unit.spawned", "unit.running": see `supervise/`."""
    message: str
    instance_id: str
    service: str | None
    fields: Mapping[str, Any]
    """What else it says: "pid", "port", "reason" and so on."""

    def to_json(self) -> dict[str, Any]:
        return {
            "time": self.time,
            "level": self.level,
            "event": self.kind,
            "message": self.message,
            "instance_id": self.instance_id,
            "service": self.service,
            "pid": self.fields.get("pid"),
            "port": self.fields.get("port"),
        }


class EventFollower:
    """The events of one instance, of this run of it only. Lines that are none are passed over."""

    def __init__(self, record: InstanceRecord, *, last: int | None = None) -> None:
        """Begins with the `last` events, or with the first. A log that isn't there yet has none, and one that
        can't be read, or belongs to another user than the record, never any."""
        raise NotImplementedError

    def more(self) -> list[Event]:
        """What has come since; bounded, so ask again until it is empty."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError
