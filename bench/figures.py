"""What a measurement yields, and what one is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from launchers import Launcher


@dataclass(frozen=True)
class Figure:
    case: str
    what: str
    launcher: str
    """portsup, bare (the loop, or what else is named in `what`), or a peer."""
    value: float
    unit: str


Server = tuple[str, ...]
Turn = Sequence[type[Launcher]]
Measure = Callable[[Server, Turn], Iterator[Figure]]


@dataclass(frozen=True)
class Case:
    letters: str
    measure: Measure
    every: int = 1
    """Takes part in each so manieth round only."""
    peers: bool = False
    """Whether they take turns in it, where there are any."""


def milliseconds(nanoseconds: float) -> float:
    return nanoseconds / 1e6


def values(figures: Sequence[Figure], what: str, launcher: str) -> list[float]:
    """Of all rounds."""
    return [figure.value for figure in figures if (figure.what, figure.launcher) == (what, launcher)]
