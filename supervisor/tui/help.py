"""The keys, and what the signs mean."""

from __future__ import annotations

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
            yield Static(help_text())


def help_text() -> Text:
    text = Text()
    for key in KEYS:
        text.append(f"{key.shown:>6}", "bold").append(f"  {key.meaning}\n")
    text.append("\nStates\n", "bold")
    for state, mark in figures.STATES.items():
        if state.isupper():
            text.append(f"{mark.sign:>6}", mark.style).append(f"  {state}\n")
    text.append("\nPorts of a pool\n", "bold")
    for cell, meaning in pool_lines.MEANINGS.items():
        mark = pool_lines.MARKS[cell]
        text.append(f"{mark.sign:>6}", mark.style).append(f"  {meaning}\n")
    text.append("\nThis closes with Esc. CPU is of one core.", "dim")
    return text
