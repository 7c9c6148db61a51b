"""What a service printed, as lines with their times; read from its files, with or without a supervisor."""

from __future__ import annotations

from typing import Any, NamedTuple

from supervisor.records import InstanceRecord

LONGEST_LINE = 65_536
"""Bytes; a longer one is cut into several."""


class LogLine(NamedTuple):
    time: int | None
    """Milliseconds since 1970; None where nobody knows."""
    text: str
    """Without its end; bytes that are no UTF-8 replaced. Colours and other control codes are in it."""

    def to_json(self) -> dict[str, Any]:
        return {"time": self.time, "text": self.text}


class LogFollower:
    """The lines of one service of one instance, across rotations."""

    def __init__(
        self, record: InstanceRecord, service: str, *, lines: int | None = None, since: int | None = None
    ) -> None:
        """Begins with the last `lines`, or those `since` then (milliseconds since 1970), or both. The caller
        has made sure that the instance has such a service. Raises PortsupError if a file can't be read."""
        raise NotImplementedError

    def more(self, limit: int = 2000) -> list[LogLine]:
        """The next lines, at most `limit`; empty if there is nothing now. A line that has no end yet comes
        when it has, or with `finish`."""
        raise NotImplementedError

    def finish(self) -> list[LogLine]:
        """What is left of a last line without an end."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError
