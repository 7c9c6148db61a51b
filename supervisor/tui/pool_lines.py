"""Pools as rows of cells. A cell is told by its sign as well as by its colour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from supervisor.monitor.pools import Cell, CellState, Strip
from supervisor.tui.figures import Mark
from supervisor.tui.safe_text import plain

MARKS = {
    CellState.FREE: Mark("·", "dim"),
    CellState.OURS: Mark("■", "green"),
    CellState.OTHER: Mark("□", "yellow"),
    CellState.FOREIGN: Mark("!", "bold red"),
    CellState.LEFTOVER: Mark("†", "bold red"),
}

MEANINGS = {
    CellState.FREE: "free",
    CellState.OURS: "this service's",
    CellState.OTHER: "another service's or instance's",
    CellState.FOREIGN: "taken by a process that portsup didn't start",
    CellState.LEFTOVER: "left by an instance whose supervisor is dead",
}


def strip(one: Strip, room: int) -> Text:
    """On one line of so many cells; ports as numbers where there is room for all."""
    name = f"{plain(one.pool)}  " if one.pool != "port" else ""
    numbers = Text.assemble(name, *(part for cell in one.cells for part in _numbered(cell)))
    if numbers.cell_len <= room:
        return numbers
    first, last = one.cells[0].port, one.cells[-1].port
    signs = Text.assemble(f"{name}{first} ", *map(_sign, one.cells), f" {last}")
    signs.truncate(room, overflow="ellipsis")
    return signs


def _numbered(cell: Cell) -> Iterator[tuple[str, str]]:
    sign, style = MARKS[cell.state]
    yield f"{sign}{cell.port}", style
    yield "  ", ""


def _sign(cell: Cell) -> tuple[str, str]:
    return MARKS[cell.state]


def details(strips: Sequence[Strip]) -> list[Text]:
    """A line for each pool, and below it one for each port that somebody has."""
    return [line for one in strips for line in _details(one)]


def _details(one: Strip) -> Iterator[Text]:
    pool = "" if one.pool == "port" else f", pool {one.pool}"
    free = sum(cell.state is CellState.FREE for cell in one.cells)
    yield Text.assemble(
        (plain(f"{one.service}{pool}"), "bold"),
        f"  {free} of {len(one.cells)} free  ",
        *map(_sign, one.cells),
    )
    for cell in one.cells:
        if cell.state is not CellState.FREE:
            who = plain(cell.who) if cell.who else MEANINGS[cell.state]
            yield Text.assemble("  ", *_numbered(cell), who)
