"""Lines that keep coming: the newest are kept, the end stays in view until somebody scrolls away from it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from rich.text import Text
from textual.cache import LRUCache
from textual.geometry import Size
from textual.message import Message

from supervisor.tui.line_view import LineView
from supervisor.tui.safe_text import styled

KEPT = 10_000
"""Lines; below `portsup logs` all of them are."""

DRAWN = 512
"""Lines whose looks are remembered: a few screens."""

_STYLES = re.compile(r"\x1b\[[0-9;:]*m")


class GrowingView(LineView):
    """Lines as `safe_text.safe_lines` gives them. Looked at and searched here, drawn when they are seen."""

    class Changed(Message):
        """It follows, or doesn't any more; or another line is found."""

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        self._lines: list[str] = []
        self._dropped = 0
        """Lines that were there before the first of these."""
        self._drawn: LRUCache[int, Text] = LRUCache(DRAWN)
        """By the number that a line has had from the beginning."""
        self._widest = 0
        self.following = True
        self._pattern: re.Pattern[str] | None = None
        self._found: int | None = None
        """The number of the line at which the search stands."""

    @property
    def text(self) -> list[str]:
        """What is kept, without styles."""
        return [_STYLES.sub("", line) for line in self._lines]

    def clear(self) -> None:
        self._lines.clear()
        self._drawn.clear()
        self._dropped = self._widest = 0
        self._found = self._pattern = None
        self.following = True
        self._resized()
        self.post_message(self.Changed())

    def add(self, lines: Sequence[str]) -> None:
        if not lines:
            return
        self._lines += lines
        surplus = max(len(self._lines) - KEPT, 0)
        del self._lines[:surplus]
        self._dropped += surplus
        self._widest = max(self._widest, *(len(line.expandtabs()) for line in lines))
        self._resized(surplus)

    def _resized(self, scrolled_off: int = 0) -> None:
        """The lines in view stay there, unless the end is followed or they are gone."""
        top = self.scroll_offset.y - scrolled_off
        self.virtual_size = Size(self._widest, len(self._lines))
        self._scroll(self.max_scroll_y if self.following else max(top, 0))
        self.refresh()

    def _scroll(self, top: int) -> None:
        following = self.following
        self.scroll_to(y=top, animate=False, force=True, immediate=True)
        self._set_following(following)

    def _set_following(self, following: bool) -> None:
        if following != self.following:
            self.following = following
            self.post_message(self.Changed())

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Whoever scrolls to the end follows again."""
        super().watch_scroll_y(old_value, new_value)
        self._set_following(new_value >= self.max_scroll_y)

    def on_resize(self) -> None:
        if self.following:
            self._scroll(self.max_scroll_y)

    def follow(self) -> None:
        self._set_following(True)
        self._scroll(self.max_scroll_y)

    def line(self, y: int) -> Text | None:
        place = self.scroll_offset.y + y
        if place >= len(self._lines):
            return None
        number = self._dropped + place
        text = self._drawn.get(number)
        if text is None:
            text = self._drawn[number] = self._draw(self._lines[place], number)
        return text

    def _draw(self, line: str, number: int) -> Text:
        text = styled(line)
        if self._pattern is not None:
            text.highlight_regex(self._pattern, "bold reverse" if number == self._found else "reverse")
        return text

    @property
    def is_searched(self) -> bool:
        return self._pattern is not None

    def find(self, sought: str) -> None:
        """Show the newest line that contains it, in small or capital letters. If it is empty, the search is
        over."""
        self._pattern = re.compile(re.escape(sought), re.IGNORECASE) if sought else None
        self._found = None
        self.next_match(-1)

    def next_match(self, step: int) -> None:
        """The next one downwards (1) or upwards (-1) from the one that was found; behind the last one the
        first."""
        places = self.matches()
        if places:
            place = _beyond(places, None if self._found is None else self._found - self._dropped, step)
            self._found = self._dropped + place
            self._set_following(False)
            self._scroll(max(place - self.scrollable_size.height // 2, 0))
        self._drawn.clear()
        self.refresh()
        self.post_message(self.Changed())

    def matches(self) -> list[int]:
        """The places of the lines that contain what is sought."""
        if self._pattern is None:
            return []
        return [place for place, line in enumerate(self.text) if self._pattern.search(line)]

    @property
    def told(self) -> str:
        """Where it stands, in a few words."""
        if self._pattern is None:
            return "following" if self.following else "G follows its end"
        places = self.matches()
        if self._found is None or self._found - self._dropped not in places:
            return "nothing found"
        return f"{places.index(self._found - self._dropped) + 1} of {len(places)} found"


def _beyond(places: Sequence[int], place: int | None, step: int) -> int:
    if place is None:
        return places[-1]
    if step > 0:
        return next((one for one in places if one > place), places[0])
    return next((one for one in reversed(places) if one < place), places[-1])
