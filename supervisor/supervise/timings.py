"""How long claims, spawns, readiness and stops took. Bounded memory: the latest samples of each."""

from __future__ import annotations

from collections import defaultdict, deque
from math import ceil
from typing import Any

KEPT = 1000
"""Samples of one service and phase; older ones are forgotten, the count goes on."""


class Timings:
    def __init__(self) -> None:
        self._samples: dict[tuple[str, str], deque[float]] = defaultdict(lambda: deque(maxlen=KEPT))
        self._counts: dict[tuple[str, str], int] = defaultdict(int)

    def add(self, service: str, phase: str, seconds: float) -> None:
        self._samples[service, phase].append(seconds)
        self._counts[service, phase] += 1

    def last(self, service: str, phase: str) -> float | None:
        """Seconds that it took the last time; None if it never came to that."""
        samples = self._samples.get((service, phase))
        return samples[-1] if samples else None

    def to_json(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Service → phase → count, and median, p95 and max in ms."""
        services: dict[str, dict[str, dict[str, Any]]] = {}
        for (service, phase), samples in self._samples.items():
            services.setdefault(service, {})[phase] = {
                "count": self._counts[service, phase],
                "median_ms": _ms(quantile(sorted(samples), 0.5)),
                "p95_ms": _ms(quantile(sorted(samples), 0.95)),
                "max_ms": _ms(max(samples)),
            }
        return services


def quantile(ordered: list[float], q: float) -> float:
    """The nearest-rank quantile of a sorted, non-empty list."""
    return ordered[max(0, ceil(q * len(ordered)) - 1)]


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
