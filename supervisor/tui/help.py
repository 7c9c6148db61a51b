"""The keys, and what the signs mean."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from supervisor.tui import figures, pool_lines
from supervisor.tui.keys import KEYS


class HelpScreen(ModalScreen[None]):
    DEFAULT_CSS = """
    HelpScreen { align: center middle; }
    HelpScreen VerticalScroll {
        width: 76; max-width: 100%; height: auto; max-height: 100%; padding: 0 1;
        border: round ansi_default; background: ansi_default; scrollbar-size: 1 1;
    }
    """
    BINDINGS = [Binding("escape,q,question_mark", "dismiss", show=False)]

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(help_table())


def help_table() -> Table:
    table = Table.grid(padding=(0, 1), pad_edge=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    for key in KEYS:
        table.add_row(Text(key.shown, "bold"), Text(key.meaning))
    table.add_row("", "")
    for name, mark in figures.STATES.items():
        if name.isupper():
            table.add_row(Text(*mark), Text(name))
    table.add_row("", "")
    for cell, meaning in pool_lines.MEANINGS.items():
        table.add_row(Text(*pool_lines.MARKS[cell]), Text(meaning))
    table.add_row("", "")
    table.add_row("cpu", Text("100% is one core; the curve shows the last minute"))
    return table
