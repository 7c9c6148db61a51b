"""The lower half of the screen: a service's log, the events of all instances, or an instance's pools."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import ContentSwitcher, Static

from supervisor.errors import PortsupError
from supervisor.monitor.pools import Strip
from supervisor.tui import words
from supervisor.tui.growing import GrowingView
from supervisor.tui.line_view import LineView
from supervisor.tui.log_source import LogSource
from supervisor.tui.pools_view import PoolsView
from supervisor.tui.rows import RowKey, name_of
from supervisor.tui.safe_text import plain
from supervisor.tui.watcher import Seen

LOG, EVENTS, POOLS = "log", "events", "pools"


class LowerPane(Vertical):
    DEFAULT_CSS = """
    LowerPane { height: 1fr; }
    LowerPane #title { height: 1; text-style: reverse; }
    LowerPane ContentSwitcher { height: 1fr; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.title = Static(id="title", markup=False)
        self.views = ContentSwitcher(initial=LOG)
        self.log_view, self.events = GrowingView(id=LOG), GrowingView(id=EVENTS)
        self.pools = PoolsView(id=POOLS)
        self._source = LogSource()
        self._read: RowKey | None = None
        """Whose log is shown."""
        self._is_gone = False
        self._whose_pools = ""

    def compose(self) -> ComposeResult:
        yield self.title
        with self.views:
            yield self.log_view
            yield self.events
            yield self.pools

    @property
    def current(self) -> str:
        return self.views.current or LOG

    @property
    def view(self) -> LineView:
        """What is shown."""
        return {LOG: self.log_view, EVENTS: self.events, POOLS: self.pools}[self.current]

    @property
    def growing(self) -> GrowingView | None:
        """What is shown, if it can be followed and searched."""
        return self.view if isinstance(self.view, GrowingView) else None

    def turn_to(self, what: str) -> None:
        self.views.current = what
        self.show_title()

    def show_pools(self, seen: Seen | None, strips: Sequence[Strip]) -> None:
        self._whose_pools = name_of(seen) if seen else ""
        self.pools.show(strips)
        self.show_title()

    def read(self, seen: Seen | None, service: str | None) -> None:
        """Show this log from its end on, unless it is the one that is shown."""
        key = RowKey(seen.id, service) if seen and service else None
        self._is_gone = False
        if key == self._read:
            return
        self._read = key
        self.log_view.clear()
        if seen and service:
            self._follow(seen, service)
        else:
            self.workers.cancel_node(self)
        self.show_title()

    def mark_gone(self, present: Sequence[Seen]) -> None:
        """Its log stays there to be read, also when its instance isn't up any more."""
        self._is_gone = self._read is not None and self._read.instance not in [seen.id for seen in present]
        self.show_title()

    @work(exclusive=True)
    async def _follow(self, seen: Seen, service: str) -> None:
        try:
            async for lines in self._source.lines(seen.record, service):
                self.log_view.add(lines)
        except PortsupError as failure:
            self.log_view.add(words.of_error(failure))

    @on(GrowingView.Changed)
    def show_title(self) -> None:
        title = Text(f" {plain(self._title())}")
        title.truncate(self.size.width, overflow="ellipsis")
        self.title.update(title)

    def _title(self) -> str:
        if self.current == POOLS:
            return f"pools of {self._whose_pools}" if self._whose_pools else "pools"
        if self.current == EVENTS:
            return f"events, {self.events.told}"
        if self._read is None:
            return "no service is selected"
        gone = " (gone)" if self._is_gone else ""
        return f"logs of {self._read.service}{gone}, {self.log_view.told}"
