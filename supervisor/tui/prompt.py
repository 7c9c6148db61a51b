"""The line in which one types what to find or to show."""

from __future__ import annotations

from collections.abc import Callable

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.widgets import Input, Label


class Prompt(Horizontal):
    DEFAULT_CSS = """
    Prompt { height: 1; display: none; }
    Prompt.open { display: block; }
    Prompt Label { width: auto; padding: 0 1; text-style: bold; }
    Prompt Input, Prompt Input:focus {
        width: 1fr; height: 1; border: none; padding: 0; background: ansi_default; color: ansi_default;
    }
    """
    BINDINGS = [Binding("escape", "close", show=False)]

    def __init__(self) -> None:
        super().__init__()
        self._question = Label(markup=False)
        self._input = Input()
        self._answer: Callable[[str], None] = lambda _: None
        self._close: Callable[[], None] = lambda: None

    def compose(self) -> ComposeResult:
        yield self._question
        yield self._input

    def ask(
        self, question: str, before: str, answer: Callable[[str], None], close: Callable[[], None]
    ) -> None:
        """`answer` gets what was typed, after `close`; nobody gets it after Esc."""
        self._question.update(Text(question))
        self._input.value = before
        self._answer, self._close = answer, close
        self.add_class("open")
        self._input.focus()

    @on(Input.Submitted)
    def _answered(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_close()
        self._answer(event.value)

    def action_close(self) -> None:
        self.remove_class("open")
        self._close()
