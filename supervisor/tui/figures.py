"""States, times and amounts in a few cells each. A state is told by its word and its sign, never by colour
alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from supervisor.shown import STATE_STYLES

NOTHING = "-"

BARS = "▁▂▃▄▅▆▇█"

PER_BAR = 5
"""Seconds, at one value each: twelve bars are a minute."""

FULL_BAR = 0.1
"""Cores: the least that a curve's highest bar stands for, or an idle service would look busy."""


class Mark(NamedTuple):
    sign: str
    style: str
    """As rich names it: of the terminal's own colours."""


UNKNOWN = Mark("?", "")

SIGNS = {
    "RUNNING": "●",
    "PENDING": "○",
    "STARTING": "◐",
    "BACKOFF": "↻",
    "STOPPING": "◑",
    "STOPPED": "◌",
    "EXITED": "◎",
    "FATAL": "✖",
    "running": "●",
    "starting": "◐",
    "stopping": "◑",
    "degraded": "✖",
    "suspended": "‖",
    "dead": "✖",
    "unreachable": "?",
}
"""The page has the same."""

STATES = {name: Mark(sign, STATE_STYLES[name]) for name, sign in SIGNS.items()}
"""Of services in capitals, of instances in small letters."""


def state(name: str) -> Mark:
    return STATES.get(name, UNKNOWN)


def age(seconds: float | None) -> str:
    """The largest whole unit: "59s", "3m", "23h", "5d"."""
    if seconds is None:
        return NOTHING
    whole = max(int(seconds), 0)
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if whole >= length:
            return f"{whole // length}{unit}"
    return f"{whole}s"


def share(cpu: float | None) -> str:
    """Of one core: 0.12 → "12%"."""
    return NOTHING if cpu is None else f"{cpu:.0%}"


def amount(size: int | None) -> str:
    """Bytes, in at most four digits: "512K", "45M", "1.2G"."""
    if size is None:
        return NOTHING
    for unit, length in (("G", 1 << 30), ("M", 1 << 20)):
        if size >= length:
            return f"{size / length:.1f}{unit}" if size < 10 * length else f"{size // length}{unit}"
    return f"{size >> 10}K"


def curve(values: Sequence[float | None], width: int) -> str:
    """The last values as `width` bars, each of the greatest of PER_BAR values, beside the greatest of all."""
    ends = range(len(values), max(len(values) - width * PER_BAR, 0), -PER_BAR)
    bars = [_greatest(values[max(end - PER_BAR, 0) : end]) for end in reversed(ends)]
    top = max([FULL_BAR, *(bar for bar in bars if bar is not None)])
    return "".join(_bar(bar, top) for bar in bars).rjust(width)


def _greatest(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _bar(value: float | None, top: float) -> str:
    return " " if value is None else BARS[round(value / top * (len(BARS) - 1))]
