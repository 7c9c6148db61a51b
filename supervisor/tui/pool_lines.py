"""Pools as rows of cells. A cell is told by its sign as well as by its colour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from supervisor.monitor.pools import Cell, CellState, Strip
from supervisor.tui.figures import Mark
from supervisor.tui.safe_text import plain

BETWEEN_POOLS = "   "

MARKS = {
    CellState.FREE: Mark("·", "dim"),
    CellState.OURS: Mark("■", "green"),
    CellState.OTHER: Mark("□", "yellow"),
    CellState.FOREIGN: Mark("!", "bold red"),
    CellState.LEFTOVER: Mark("†", "bold red"),
}

MEANINGS = {
    CellState.FREE: "a free port",
    CellState.OURS: "a port of this service",
    CellState.OTHER: "a port of another service or instance",
    CellState.FOREIGN: "taken by a process that portsup didn't start",
    CellState.LEFTOVER: "left by an instance whose supervisor is dead",
}


def strips(several: Sequence[Strip], room: int) -> list[Text]:
    """On one line of so many cells, or on one each."""
    lines = [_strip(one, room) for one in several]
    joined = Text(BETWEEN_POOLS).join(lines)
    return [joined] if lines and joined.cell_len <= room else lines


def _strip(one: Strip, room: int) -> Text:
    """Ports as numbers where there is room for all."""
    name = f"{plain(one.pool)} " if one.pool != "port" else ""
    numbers = Text(name) + Text(" ").join(map(_numbered, one.cells))
    if numbers.cell_len <= room:
        return numbers
    first, last = one.cells[0].port, one.cells[-1].port
    signs = Text.assemble(f"{name}{first} ", *map(_sign, one.cells), f" {last}")
    signs.truncate(room, overflow="ellipsis")
    return signs


def _numbered(cell: Cell) -> Text:
    sign, style = MARKS[cell.state]
    return Text(f"{sign}{cell.port}", style)


def _sign(cell: Cell) -> tuple[str, str]:
    return MARKS[cell.state]


def details(several: Sequence[Strip]) -> list[Text]:
    """A line for each pool, and below it one for each port that somebody has."""
    return [line for one in several for line in _details(one)]


def _details(one: Strip) -> Iterator[Text]:
    pool = "" if one.pool == "port" else f", pool {one.pool}"
    free = sum(cell.state is CellState.FREE for cell in one.cells)
    told = f"  {free} of {len(one.cells)} free  "
    yield Text.assemble((plain(f"{one.service}{pool}"), "bold"), told, *map(_sign, one.cells))
    for cell in one.cells:
        if cell.state is not CellState.FREE:
            who = plain(cell.who) if cell.who else MEANINGS[cell.state]
            yield Text.assemble("  ", _numbered(cell), "  ", who)
