"""Who has a port: the lock, its unit, who really listens, in facts and in words. Signals nobody."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from supervisor.platform.contract import Owner
from supervisor.records import PortRecord


class Holding(StrEnum):
    FREE = "free"
    HELD = "held"
    """Locked; the supervisor lives."""
    CLAIMING = "claiming"
    """Locked, and no record yet."""
    LEFTOVER = "leftover"
    """The supervisor is dead, processes of its unit live."""
    STALE = "stale"
    """A record that nobody stands behind."""
    FOREIGN = "foreign"
    """No lock; somebody listens who was not started by portsup, or can't be told."""


@dataclass(frozen=True, slots=True)
class PortUser:
    """Somebody who listens. `owner` is None where the process can't be seen."""

    address: str
    owner: Owner | None
    uid: int
    command: str


@dataclass(frozen=True, slots=True)
class PortReport:
    port: int
    holding: Holding
    record: PortRecord | None
    listeners: tuple[PortUser, ...]
    survivors: tuple[Owner, ...]

    def line(self) -> str:
        """One line for an error: "9000  qwen-valencia instance 1 (api-server) in /path, pid 411, for 3 min"."""
        raise NotImplementedError

    def hint(self) -> str:
        """What to do next."""
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        raise NotImplementedError


def inspect(folder: Path, port: int) -> PortReport:
    """Look, without taking the lock for longer than the look."""
    raise NotImplementedError


def survivors(instance_id: str, leaders: tuple[Owner, ...] = ()) -> tuple[Owner, ...]:
    """Live processes of a dead supervisor's instance, told by their marker PORTSUP_UNIT or by being
    in the session of one of `leaders`."""
    raise NotImplementedError
