"""The table of services: it is given new rows each second, and its cursor stays on its service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.text import Text
from textual import events
from textual.binding import Binding
from textual.geometry import Size
from textual.message import Message

from supervisor.tui import layout
from supervisor.tui.line_view import LineView
from supervisor.tui.rows import Row, RowKey

HEADING = 1
"""Lines above the rows, which don't scroll."""


class ServiceTable(LineView):
    """Rows are added, changed and taken away by `show`; the rest stays where it is."""

    BINDINGS = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "move(-1_000_000)", show=False),
        Binding("end", "move(1_000_000)", show=False),
    ]

    class Moved(Message):
        """Another row is selected, or none."""

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        self._rows: Sequence[Row] = ()
        self._stops: list[int] = []
        """The rows that the cursor stops at: services, and instances that show none."""
        self._at = 0
        """Which of them."""
        self._widths: layout.Widths = {}
        self.nothing = ""
        """What to say where there is no row."""

    @property
    def selected(self) -> RowKey | None:
        return self._rows[self._stops[self._at]].key if self._stops else None

    def show(self, rows: Sequence[Row]) -> None:
        before, above = self.selected, self._cursor_row - self.scroll_offset.y
        self._rows = rows
        self._stops = [i for i, row in enumerate(rows) if row.key.service or _is_alone(rows, i)]
        self._at = self._place_of(before)
        self.virtual_size = Size(0, len(rows) + HEADING)
        self._lay_out()
        # What came or went above the cursor moves neither it nor what stands around it.
        self._scroll(self._cursor_row - above)
        if self.selected != before:
            self._moved()

    @property
    def _cursor_row(self) -> int:
        return self._stops[self._at] if self._stops else 0

    def _place_of(self, key: RowKey | None) -> int:
        """Where it is now; if it is gone, what has taken its place."""
        keys = [self._rows[stop].key for stop in self._stops]
        return keys.index(key) if key in keys else max(min(self._at, len(keys) - 1), 0)

    def _lay_out(self) -> None:
        self._widths = layout.widths(self._rows, self.scrollable_size.width)
        self.refresh()

    def on_resize(self) -> None:
        self._lay_out()
        self._scroll_to_cursor()

    def line(self, y: int) -> Text | None:
        if y < HEADING:
            return layout.heading(self._widths) if self._rows else Text(self.nothing)
        number = self.scroll_offset.y + y - HEADING
        if number >= len(self._rows):
            return None
        selected = bool(self._stops) and number == self._cursor_row
        return layout.drawn(self._rows[number], self._widths, self.scrollable_size.width, selected=selected)

    def action_move(self, steps: int) -> None:
        self._go_to(self._at + steps)

    def action_page(self, pages: int) -> None:
        self._go_to(self._at + pages * max(self.scrollable_size.height - HEADING, 1))

    def _go_to(self, place: int) -> None:
        place = max(min(place, len(self._stops) - 1), 0)
        if place != self._at:
            self._at = place
            self.refresh()
            self._moved()
        self._scroll_to_cursor()

    def _moved(self) -> None:
        self._scroll_to_cursor()
        self.post_message(self.Moved())

    def _scroll_to_cursor(self) -> None:
        """As little as needed; of the first service its instance's row is shown too."""
        row = self._cursor_row
        first = row if row - 1 in self._stops else row - 1
        lowest = row - (self.scrollable_size.height - HEADING) + 1
        self._scroll(min(max(self.scroll_offset.y, lowest), first))

    def _scroll(self, top: int) -> None:
        self.scroll_to(y=max(top, 0), animate=False, force=True, immediate=True)

    def on_click(self, event: events.Click) -> None:
        number = self.scroll_offset.y + event.y - HEADING
        if event.y >= HEADING and number in self._stops:
            self._go_to(self._stops.index(number))


def _is_alone(rows: Sequence[Row], i: int) -> bool:
    """Whether no service of its instance follows."""
    return i + 1 == len(rows) or rows[i + 1].key.service is None
