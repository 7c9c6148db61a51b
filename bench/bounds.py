"""What `scripts/bench --check` holds portsup to: one table, as ratios to the bare loop of the same run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from figures import Figure, values

MARGIN = 1.5
"""A figure is broken when it misses its goal by more: measurements on a busy machine scatter."""


@dataclass(frozen=True)
class Bound:
    what: str
    """The row of the table that is meant."""
    goal: float
    """In times the bare loop's figure; with a unit, portsup's own figure."""
    unit: str = ""
    at_least: bool = False
    """More is better: of rates."""

    @property
    def limit(self) -> float:
        return self.goal / MARGIN if self.at_least else self.goal * MARGIN


BOUNDS = (
    Bound("up, 5 tiny services", 3.2),
    Bound("up, 50 tiny services", 2.8),
    Bound("up, 5 Python services", 1.6),
    Bound("stop of 50: services gone", 4),
    Bound("stop of 50: launcher gone too", 9),
    Bound("kill -9 to the next one accepting", 2.7),
    Bound("idle 10 s, 50 services: CPU", 20, unit="ms"),
    Bound("idle 10 s, 50 services: voluntary switches", 40, unit="times"),
    Bound("idle 10 s, 50 services: memory (PSS)", 36, unit="MiB"),
    Bound("lines of one service to the log", 0.6, at_least=True),
    Bound("lines of one service prefixed, to stdout", 0.16, at_least=True),
    Bound("status, cold, 5 services up", 9),
    Bound("status as JSON, cold, 5 services up", 6.3),
    Bound("claims a second of 1 process", 0.044, at_least=True),
    Bound("of 800 ports handed out twice by 8 at once", 0, unit="ports"),
)


def broken(figures: Sequence[Figure], bounds: Sequence[Bound] = BOUNDS) -> Iterator[str]:
    """A line for each bound that isn't kept. A bound without a figure isn't kept either."""
    for bound in bounds:
        reached = reached_for(figures, bound)
        if reached is None:
            yield f"{bound.what}: not measured"
        elif (reached < bound.limit) if bound.at_least else (reached > bound.limit):
            than = "less than" if bound.at_least else "more than"
            unit = bound.unit or "times the bare loop's"
            yield f"{bound.what}: {reached:.3g} {unit}, {than} {bound.limit:.3g}"


def reached_for(figures: Sequence[Figure], bound: Bound) -> float | None:
    """The best of all rounds on both sides: whatever else runs on the machine only ever slows. What
    isn't a ratio doesn't hang on the machine so: there the worst counts."""
    ours, bare = values(figures, bound.what, "portsup"), values(figures, bound.what, "bare")
    best: Callable[[Sequence[float]], float] = max if bound.at_least else min
    if bound.unit:
        return max(ours, default=None)
    return best(ours) / best(bare) if ours and bare else None
