"""Columns: how wide each is, and which give way on a narrow terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rich.cells import cell_len
from rich.text import Text

from supervisor.tui.rows import Cell, Row


class Column(NamedTuple):
    name: str
    drop: int = 0
    """The greatest goes first; 0 stays."""
    right: bool = False


COLUMNS = (
    Column("service"),
    Column("state"),
    Column("port"),
    Column("cpu", drop=1, right=True),
    Column("memory", drop=2, right=True),
    Column("last minute", drop=6),
    Column("uptime", drop=3, right=True),
    Column("restarts", drop=5, right=True),
    Column("shield", drop=4),
    Column("url", drop=7),
)

GAP = 2
"""Cells between two columns."""

INDENT = 2
"""Of a service below its instance; the cursor stands there."""

CURSOR = "▸ "

LONG = 24
"""What a name has beyond this is cut off before any column is dropped."""

NARROWEST = 8
"""Of the first column, which is cut off where dropping others isn't enough."""

Widths = Mapping[str, int]


def widths(rows: Sequence[Row], room: int) -> Widths:
    """Of the columns that are shown on `room` cells."""
    needed = {
        column.name: max(
            [
                cell_len(column.name),
                *(cell_len(row.cells[column.name].text) for row in rows if row.key.service),
            ]
        )
        for column in COLUMNS
    }
    spare = max(needed["service"] - LONG, 0)
    for column in sorted(COLUMNS, key=lambda one: -one.drop):
        if _total(needed) - spare <= room or not column.drop:
            break
        del needed[column.name]
    too_wide = max(_total(needed) - room, 0)
    return {**needed, "service": max(needed["service"] - too_wide, NARROWEST)}


def _total(needed: Widths) -> int:
    return INDENT + sum(needed.values()) + GAP * (len(needed) - 1)


def heading(shown: Widths) -> Text:
    return _line({name: Cell(name, "bold") for name in shown}, shown)


def drawn(row: Row, shown: Widths, room: int, *, selected: bool) -> Text:
    cursor = CURSOR if selected else ""
    if row.key.service is None:
        text, style = row.cells["instance"]
        line = Text(cursor + text, style, no_wrap=True)
    else:
        line = _line(row.cells, shown, cursor)
    if selected:
        line.stylize("reverse")
    line.truncate(room, overflow="ellipsis", pad=True)
    return line


def _line(cells: Mapping[str, Cell], shown: Widths, cursor: str = "") -> Text:
    parts = [
        _padded(cells[column.name], column, shown[column.name]) for column in COLUMNS if column.name in shown
    ]
    return Text(cursor.ljust(INDENT), no_wrap=True) + Text(" " * GAP).join(parts)


def _padded(cell: Cell, column: Column, width: int) -> Text:
    text = Text(cell.text, cell.style)
    text.truncate(width, overflow="ellipsis")
    space = width - text.cell_len
    if column.right:
        text.pad_left(space)
    else:
        text.pad_right(space)
    return text
