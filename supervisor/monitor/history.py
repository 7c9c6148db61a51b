"""The latest measurements of each service: what a small curve is drawn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from supervisor.monitor.usage import ServiceKey, Usage

KEPT = 300
"""Points of one service."""


class Point(NamedTuple):
    time: float
    """Seconds since 1970."""
    cpu: float | None
    memory: int


class History:
    """Bounded; a service that is measured no longer is forgotten with its instance."""

    def add(self, time: float, measured: Mapping[ServiceKey, Usage]) -> None:
        raise NotImplementedError

    def points(self) -> Mapping[ServiceKey, Sequence[Point]]:
        raise NotImplementedError
