"""The pools of one instance, with who has each port."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.text import Text
from textual.geometry import Size

from supervisor.monitor.pools import Strip
from supervisor.tui import pool_lines
from supervisor.tui.line_view import LineView


class PoolsView(LineView):
    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        self._shown: Sequence[Text] = ()

    def show(self, strips: Sequence[Strip]) -> None:
        self._shown = pool_lines.details(strips)
        self.virtual_size = Size(max((line.cell_len for line in self._shown), default=0), len(self._shown))
        self.refresh()

    def line(self, y: int) -> Text | None:
        place = self.scroll_offset.y + y
        return self._shown[place] if place < len(self._shown) else None
