"""Many lines, of which only those on the screen are drawn."""

from __future__ import annotations

from abc import abstractmethod

from rich.text import Text
from textual.scroll_view import ScrollView
from textual.strip import Strip


class LineView(ScrollView, can_focus=True):
    """By Textual's line API; what is drawn of a line is its subclass's business."""

    DEFAULT_CSS = """
    LineView { scrollbar-size: 0 1; }
    """

    @abstractmethod
    def line(self, y: int) -> Text | None:
        """What stands in row `y` of the view, from 0; None if nothing does."""

    def render_line(self, y: int) -> Strip:
        style, width = self.rich_style, self.scrollable_size.width
        text = self.line(y)
        if text is None:
            return Strip.blank(width, style)
        strip = Strip(text.render(self.app.console), text.cell_len)
        left = self.scroll_offset.x
        return strip.apply_style(style).crop_extend(left, left + width, style)
