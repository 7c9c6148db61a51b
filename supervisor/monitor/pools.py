"""Pools as rows of cells: one look shows who has which port."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from supervisor.snapshot import InstanceSnapshot


class CellState(StrEnum):
    FREE = "free"
    OURS = "ours"
    """Claimed by the service whose pool it is."""
    OTHER = "other"
    """Claimed by another service or instance, also one of another user."""
    FOREIGN = "foreign"
    """Not claimed, and somebody listens who was not started by portsup."""
    LEFTOVER = "leftover"
    """Claimed by an instance whose supervisor is dead."""


class Cell(NamedTuple):
    port: int
    state: CellState
    who: str | None
    """"qwen-valencia 2 · api-server" of a claimed one; None where nobody is known."""


class Strip(NamedTuple):
    """One pool of one service, in the order in which its ports are tried."""

    instance_id: str
    service: str
    pool: str
    cells: tuple[Cell, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "instance_id": self.instance_id,
            "service": self.service,
            "pool": self.pool,
            "cells": [{"port": cell.port, "state": cell.state.value, "who": cell.who} for cell in self.cells],
        }


def strips(folder: Path, instances: Sequence[InstanceSnapshot]) -> list[Strip]:
    """Of every pool of `instances`; `folder` is the lock folder. Looks at records and at the kernel's table
    of listeners once for all, and binds nothing."""
    raise NotImplementedError
