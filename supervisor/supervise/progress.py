"""How far the start of an instance is, as people see it at a terminal: what isn't ready yet stands below the
lines of the services, and when all is ready a summary says where each is to be found.

It wakes once a second while something starts, and never again afterwards.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from supervisor.clock import Clock
from supervisor.config.model import Ready, ReadyKind
from supervisor.region import Line, Span
from supervisor.supervise.console import DIM, Console
from supervisor.supervise.state import State
from supervisor.supervise.timings import Timings

if TYPE_CHECKING:
    from supervisor.supervise.supervisor import Supervisor
    from supervisor.supervise.unit import Unit

FIRST_LOOK = 0.2
"""Seconds: what starts faster than that needs no picture of it."""

TICK = 1.0

STEPS = frozenset({"unit.spawned", "unit.running", "instance.ready"})
"""Events that the picture and the summary show."""

SHARE = 3
"""The picture takes at most one of so many rows of the terminal."""

GAP = "  "
STATE_CELLS = 8
"""The longest state that is shown: STARTING."""
STATE_STYLES = {State.STARTING: "33", State.PENDING: "2", State.BACKOFF: "31", State.FATAL: "1;31"}


class Row(NamedTuple):
    """One service that isn't ready."""

    name: str
    colour: int
    state: State
    seconds: float | None
    """Since it was spawned."""
    port: str
    what: str
    """It waits for, or why it is where it is."""


class Progress:
    def __init__(self, console: Console, timings: Timings, clock: Clock, began: float) -> None:
        """`began`: when the instance's start did, by `clock`."""
        self._console = console
        self._timings = timings
        self._clock = clock
        self._began = began
        self._begun = False
        self._over = False
        self._timer: asyncio.TimerHandle | None = None
        self._drawn = False

    def say(self, level: str, event: str, service: str | None, message: str) -> None:
        """An event, unless we show it better."""
        if self._over or level != "info" or event not in STEPS:
            self._console.say(level, event, service, message)

    def look(self, supervisor: Supervisor) -> None:
        """Something has changed."""
        if self._over:
            return
        if not self._begun:
            self._begin(supervisor)
        if supervisor.stopping:
            self._end()
        elif supervisor.has_started:
            self._end()
            self._summarise(supervisor)
        elif self._drawn:
            self._draw(supervisor)

    def _begin(self, supervisor: Supervisor) -> None:
        self._begun = True
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(FIRST_LOOK, self._tick, supervisor)
        loop.add_signal_handler(signal.SIGCONT, self._console.draw_anew)  # after Ctrl-Z

    def _end(self) -> None:
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
        asyncio.get_running_loop().remove_signal_handler(signal.SIGCONT)
        if self._drawn:
            self._console.show_below(None)

    def _tick(self, supervisor: Supervisor) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(TICK, self._tick, supervisor)
        # Not at once: after Ctrl-Z and fg this tick is overdue, and asyncio runs it before SIGCONT's handler.
        loop.call_soon(self._draw, supervisor)

    # What isn't ready

    def _draw(self, supervisor: Supervisor) -> None:
        if self._over:
            return
        self._drawn = True
        wanted = _wanted(supervisor)
        rows = [self._row(unit) for unit in wanted if not unit.satisfied]
        heading = f"{len(wanted) - len(rows)} of {len(wanted)} ready after {self._seconds:.0f}s"
        self._console.show_below(partial(draw, heading, rows))

    @property
    def _seconds(self) -> float:
        return self._clock.now() - self._began

    def _row(self, unit: Unit) -> Row:
        starting = unit.state is State.STARTING
        return Row(
            unit.name,
            self._console.colours[unit.name],
            unit.state,
            unit.live_for if starting else None,
            _ports(unit.holdings.ports),
            f"waits for {awaited(unit.plan.service.ready)}" if starting else unit.reason or "",
        )

    # What is

    def _summarise(self, supervisor: Supervisor) -> None:
        wanted = _wanted(supervisor)
        ready = sum(unit.satisfied for unit in wanted)
        count = f"{ready} of {len(wanted)} services are" if ready < len(wanted) else _counted(ready)
        level = "info" if ready == len(wanted) else "error"
        self._console.say(level, "instance.ready", None, f"{count} ready after {self._seconds:.1f}s")
        places = [_place(unit) for unit in wanted]
        width = max(map(len, places), default=0)
        for unit, place in zip(wanted, places, strict=True):
            self._console.add(unit.name, f"{place.ljust(width)}{GAP}{self._took(unit)}".rstrip())

    def _took(self, unit: Unit) -> str:
        if unit.satisfied and unit.state is State.EXITED:
            return "done"
        seconds = self._timings.last(unit.name, "ready")
        if not unit.satisfied or seconds is None:
            return str(unit.state) if unit.at_rest else f"{unit.state}: {unit.reason}"
        checked = unit.plan.service.ready.kind is not ReadyKind.SPAWNED
        return f"{seconds:.1f}s" if checked else "started"


def _wanted(supervisor: Supervisor) -> list[Unit]:
    return [unit for unit in supervisor.units.values() if not unit.is_off]


def _counted(services: int) -> str:
    return "1 service is" if services == 1 else f"{services} services are"


def _place(unit: Unit) -> str:
    """Where it is reached: its url, and further ports by the names of their pools."""
    url = unit.snapshot().url
    named = {pool: port for pool, port in unit.holdings.ports.items() if pool != "port"}
    return " ".join(([url] if url else []) + [f"{pool}:{port}" for pool, port in named.items()]) or "no port"


def _ports(ports: Mapping[str, int]) -> str:
    return str(ports.get("port") or next(iter(ports.values()), "-"))


def awaited(ready: Ready) -> str:
    """What a service is asked for until it counts as ready."""
    match ready.kind:
        case ReadyKind.HTTP:
            return f"an answer to GET {ready.path}"
        case ReadyKind.TCP:
            return "its port to accept"
        case ReadyKind.LOG:
            return f"a line like {ready.pattern}"
        case ReadyKind.EXEC:
            return "its ready command"
        case ReadyKind.NOTIFY:
            return "its READY=1"
        case ReadyKind.SPAWNED:
            return "its start"


def draw(heading: str, rows: Sequence[Row], size: os.terminal_size) -> list[Line]:
    """The picture: a heading and a line for each service, as many as fit into a third of the terminal."""
    most = max(size.lines // SHARE - 1, 1)
    shown = rows if len(rows) <= most else rows[: most - 1]
    lines: list[Line] = [[Span(heading, str(DIM))]]
    lines += [_line(row, _name_cells(shown, size.columns)) for row in shown]
    if len(shown) < len(rows):
        lines.append([Span(f"… and {len(rows) - len(shown)} more", str(DIM))])
    return lines


def _name_cells(rows: Collection[Row], columns: int) -> int:
    return min(max((len(row.name) for row in rows), default=0), max(columns // SHARE, STATE_CELLS))


def _line(row: Row, cells: int) -> Line:
    name = row.name if len(row.name) <= cells else f"{row.name[: cells - 1]}…"
    seconds = "" if row.seconds is None else f"{row.seconds:.0f}s"
    return [
        Span(name.ljust(cells) + GAP, str(row.colour)),
        Span(row.state.ljust(STATE_CELLS) + GAP, STATE_STYLES.get(row.state, "")),
        Span(f"{seconds:>4}{GAP}{row.port:>5}{GAP}"),
        Span(" ".join(row.what.split()), str(DIM)),
    ]
