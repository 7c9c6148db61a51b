"""What happened in an instance: its supervisor's event log, read and followed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from supervisor import paths
from supervisor.errors import PortsupError
from supervisor.records import InstanceRecord
from supervisor.tail import Piece, Reach, Tail

LONGEST_LINE = 65_536
"""Bytes that are kept of a line until its end comes; one that is longer is none of a supervisor's."""

BLOCKS = 64
"""That are read at most in search of an event, by one call."""


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
    """What else it says: "pid" and "port", whole numbers or None where they are told, "reason" and so on."""

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
        """Begins with the last `last` events, or with the first. A log that isn't there yet has none, and one
        that can't be read, or isn't a file of the record's own user, never any."""
        self._instance_id = record.instance_id
        self._lines = _WholeLines()
        self._tail = _open(record, last)

    def more(self) -> list[Event]:
        """What has come since; bounded, so ask again until it is empty."""
        for _ in range(BLOCKS):
            piece = self._next()
            if piece is None:
                break
            if found := list(self._events(piece)):
                return found
        return []

    def drain(self) -> list[Event]:
        """All that has come since."""
        found: list[Event] = []
        while some := self.more():
            found += some
        return found

    def _next(self) -> Piece | None:
        if self._tail is None:
            return None
        try:
            return self._tail.more()
        except (PortsupError, OSError):
            return None

    def _events(self, piece: Piece) -> Iterator[Event]:
        for line in self._lines.of(piece):
            event = parse(line)
            if event is not None and event.instance_id == self._instance_id:
                yield event

    def close(self) -> None:
        if self._tail is not None:
            self._tail.close()
            self._tail = None


def _open(record: InstanceRecord, last: int | None) -> Tail | None:
    reach = None if last is None else Reach(last * LONGEST_LINE)
    try:
        return Tail(paths.event_log(Path(record.logs)), lines=last, reach=reach, owner=record.uid)
    except (PortsupError, OSError):
        return None


class _WholeLines:
    """Cuts the pieces of a log into lines; one that is torn or too long is left out."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._torn = False
        """Whether what comes next is the end of a line whose beginning is left out."""
        self._next: tuple[object, int] | None = None
        """The file, and the offset in it, where the rest is continued."""

    def of(self, piece: Piece) -> Iterator[bytes]:
        if self._next != (piece.part, piece.offset):  # rotated or truncated
            self._rest.clear()
            self._torn = False
        self._next = piece.part, piece.offset + len(piece.data)
        *ended, rest = piece.data.split(b"\n")
        for line in ended:
            if not self._torn:
                yield bytes(self._rest) + line
            self._rest.clear()
            self._torn = False
        self._rest += rest
        if len(self._rest) > LONGEST_LINE:
            self._rest.clear()
            self._torn = True


def parse(line: bytes) -> Event | None:
    """The event in a line of an event log; None if there is none."""
    try:
        fields = json.loads(line)
        return _event(fields) if isinstance(fields, dict) else None
    except (ValueError, OverflowError, RecursionError):
        return None


def _event(fields: dict[str, Any]) -> Event | None:
    match fields:
        case {
            "time": str(time),
            "level": "debug" | "info" | "warning" | "error" as level,
            "event": str(kind),
            "message": str(message),
            "instance_id": str(instance_id),
            **others,
        }:
            service = others.pop("service", None)
            if isinstance(service, str | None) and _has_numbers(others):
                return Event(_seconds(time), level, kind, message, instance_id, service, others)
    return None


def _has_numbers(fields: Mapping[str, Any]) -> bool:
    return all(fields.get(name) is None or type(fields[name]) is int for name in ("pid", "port"))


def _seconds(time: str) -> float:
    """Raises ValueError for what is no time, or is one of nobody knows which zone."""
    moment = datetime.fromisoformat(time)
    if moment.tzinfo is None:
        raise ValueError("has no zone")
    return moment.timestamp()
