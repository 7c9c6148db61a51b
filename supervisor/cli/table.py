"""A table as text: aligned columns, of which some give way on a narrow terminal.

Laid out here and not by rich: to load that takes longer than all else that `portsup status` does, and
its tables take 0.4 ms a row, which is 200 ms where a hundred instances are up.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

from supervisor.cli.output import emit, folded, has_colour, is_terminal, printable, terminal_width
from supervisor.region import cells_of

GAP = 2
"""Spaces between columns. No lines are drawn: they would only be in the way of grep and cut."""

FOLD_MIN = 18
"""Cells to which a column that may fold is narrowed before another one is dropped."""

FOLD_LEAST = 8
"""To which it is narrowed when no other one is left that could be dropped."""

UNLIMITED = 100_000
"""Cells; the width of what is not a terminal."""

SGR = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}
"""A word of a style → what selects it in a terminal (ECMA-48, "select graphic rendition")."""


class Cell(NamedTuple):
    """`style` is made of words of SGR."""

    text: str
    style: str = ""


class Column(NamedTuple):
    """One column, with a cell for each row."""

    title: str
    cells: Sequence[Cell]
    drop: int = 0
    """What gives way on a narrow terminal: the highest first, 0 never."""
    fold: bool = False
    """Whether a long cell may go on in the next line."""
    right: bool = False

    def width(self) -> int:
        """Cells of a terminal that the column takes unfolded."""
        return max(cells_of(text) for text in [self.title, *(printable(cell.text) for cell in self.cells)])


class View(NamedTuple):
    """A table, and lines below it that say more."""

    columns: Sequence[Column]
    lines: Sequence[str] = ()


Shown = tuple[Column, int]
"""A column, and the cells of a terminal that it gets."""


def show(view: View) -> None:
    """Print `view` to stdout: fitted to a terminal, in full width elsewhere."""
    if is_terminal(sys.stdout):
        emit(render(view, width=terminal_width(), colour=has_colour(sys.stdout)))
    else:
        emit(render(view, width=UNLIMITED, colour=False))


def render(view: View, *, width: int, colour: bool) -> str:
    """`view` as text, each line without spaces at its end."""
    shown = fitting(view.columns, width)
    rows = zip(*(column.cells for column, _ in shown), strict=True)
    lines = list(_line([Cell(column.title, "bold") for column, _ in shown], shown, colour))
    for row in rows:
        lines += _line(row, shown, colour)
    lines += [folded(printable(line), width) for line in view.lines]
    return "".join(f"{line}\n" for line in lines)


def fitting(columns: Sequence[Column], width: int) -> list[Shown]:
    """What of `columns` is shown in `width` cells, and in how many each.

    On a terminal that is narrower than those which never give way, lines are longer than it is wide.
    """
    shown = [(column, column.width()) for column in columns]
    while _total(_narrowest(one) for one in shown) > width and any(column.drop for column, _ in shown):
        shown.remove(max(shown, key=lambda one: one[0].drop))
    for one in sorted(shown, key=lambda one: one[1], reverse=True):  # the widest gives way first
        excess = max(_total(cells for _, cells in shown) - width, 0)
        shown[shown.index(one)] = one[0], max(one[1] - excess, _narrowest(one))
    for place, (column, cells) in enumerate(shown):  # nothing is left to drop
        excess = _total(cells for _, cells in shown) - width
        if excess > 0 and column.fold:
            shown[place] = column, max(cells - excess, min(cells, FOLD_LEAST))
    return shown


def _narrowest(shown: Shown) -> int:
    column, cells = shown
    return min(cells, FOLD_MIN) if column.fold else cells


def _total(widths: Iterable[int]) -> int:
    each = list(widths)
    return sum(each) + GAP * (len(each) - 1)


def _line(cells: Sequence[Cell], shown: Sequence[Shown], colour: bool) -> Iterator[str]:
    """One row of the table: several lines where a cell folds."""
    folds = [cut(printable(cell.text), width) for cell, (_, width) in zip(cells, shown, strict=True)]
    styles = [cell.style if colour else "" for cell in cells]
    for pieces in zip_longest(*folds, fillvalue=""):
        row = zip(pieces, styles, shown, strict=True)
        padded = [_padded(text, style, column, width) for text, style, (column, width) in row]
        yield (" " * GAP).join(padded).rstrip()


def _padded(text: str, style: str, column: Column, width: int) -> str:
    space = " " * (width - cells_of(text))
    if style and text:
        text = f"\x1b[{';'.join(SGR[word] for word in style.split())}m{text}\x1b[0m"
    return space + text if column.right else text + space


def cut(text: str, width: int) -> list[str]:
    """`text` in pieces of at most `width` cells. A path may be cut anywhere: it has no words."""
    if cells_of(text) <= width:
        return [text]
    pieces, room = [""], width
    for char in text:
        if (cells := cells_of(char)) > room:
            pieces.append("")
            room = width
        pieces[-1] += char
        room -= cells
    return pieces
