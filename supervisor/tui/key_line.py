"""The last line of the screen: the keys, as many of them as there is room for."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text
from textual.widget import Widget

from supervisor.tui.keys import KEYS, Key

ALWAYS = ("q", "?")
"""Whoever sees no other key must find these."""


class KeyLine(Widget):
    DEFAULT_CSS = """
    KeyLine { height: 1; dock: bottom; }
    """

    def render(self) -> Text:
        return key_line(self.size.width)


def key_line(room: int) -> Text:
    named = [key for key in KEYS if key.word]
    shown = [key for key in named if key.shown in ALWAYS]
    for key in named:
        if key not in shown and _length([*shown, key]) <= room:
            shown.append(key)
    line = Text(no_wrap=True)
    for key in sorted(shown, key=named.index):
        line.append(key.shown, "bold").append(f" {key.word}  ")
    return line


def _length(keys: Iterable[Key]) -> int:
    return sum(len(key.shown) + len(key.word) + 3 for key in keys)
