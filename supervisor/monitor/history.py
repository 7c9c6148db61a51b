"""The latest measurements of each service: what a small curve is drawn from."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from supervisor.monitor.usage import ServiceKey, Usage

KEPT = 300
"""Points of one service; also the looks after which one that wasn't measured again is forgotten."""


class Point(NamedTuple):
    time: float
    """Seconds since 1970."""
    cpu: float | None
    memory: int


class _Curve(NamedTuple):
    points: deque[Point]
    look: int
    """The number of the latest look that measured it."""


class History:
    """Bounded: of each service the latest points, and only those that the latest looks have measured."""

    def __init__(self) -> None:
        self._curves: dict[ServiceKey, _Curve] = {}
        self._look = 0

    def add(self, time: float, measured: Mapping[ServiceKey, Usage]) -> None:
        """One look, at `time` (seconds since 1970)."""
        self._look += 1
        for key, usage in measured.items():
            curve = self._curves.get(key)
            points = deque(maxlen=KEPT) if curve is None else curve.points
            points.append(Point(time, usage.cpu, usage.memory))
            self._curves[key] = _Curve(points, self._look)
        self._curves = {key: curve for key, curve in self._curves.items() if self._look - curve.look < KEPT}

    def points(self) -> Mapping[ServiceKey, Sequence[Point]]:
        """Those of now, the oldest first; what is added later isn't in them."""
        return {key: tuple(curve.points) for key, curve in self._curves.items()}
