"""The program: what is on the screen, and what the keys do with it."""

from __future__ import annotations

import asyncio
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from rich.console import Console
from rich.text import Text
from textual import on, work
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.widgets import Static
from textual.worker import WorkerFailed

from supervisor import shown
from supervisor.errors import ExitCode, PortsupError
from supervisor.monitor.pools import Strip
from supervisor.snapshot import ServiceSnapshot
from supervisor.tui import changes, event_lines, pool_lines, rows, theme, words
from supervisor.tui.help import HelpScreen
from supervisor.tui.key_line import KeyLine
from supervisor.tui.keys import KEYS
from supervisor.tui.lower_pane import EVENTS, LOG, POOLS, LowerPane
from supervisor.tui.prompt import Prompt
from supervisor.tui.rows import Order, RowKey
from supervisor.tui.safe_text import plain
from supervisor.tui.service_table import ServiceTable
from supervisor.tui.watcher import Look, Scope, Seen, Watcher

LOOK_SECONDS = 1.0

ERROR_SECONDS = 12.0
"""How long an error stays on the screen."""

WHOLE = "whole"
"""The screen's class while the lower pane has all of it."""


class Top(App[None]):
    CSS = theme.CSS
    ENABLE_COMMAND_PALETTE = False
    VERTICAL_BREAKPOINTS = [(0, "-short"), (20, "-tall")]
    BINDINGS = [
        *(Binding(key.keys, key.action, key.meaning, show=False) for key in KEYS),
        Binding("ctrl+c", "interrupt", show=False, priority=True),
    ]

    def __init__(self, scope: Scope, nothing: str, *, every: float = LOOK_SECONDS) -> None:
        """`nothing`: what to say where there is no instance. `every`: seconds between two looks."""
        super().__init__(ansi_color=True)
        self.register_theme(theme.THEME)
        self.theme = theme.THEME.name
        self.error_console = Console(quiet=True)
        self.failure: Exception | None = None
        """What ended the program, if it was a fault of ours."""
        self.table = ServiceTable(id="services")
        self.lower = LowerPane()
        self._summary = Static(id="summary", markup=False)
        self._detail = Static(id="detail", markup=False)
        self._prompt = Prompt()
        self._watcher = Watcher(scope)
        self._looking = ThreadPoolExecutor(1, "portsup-look")
        self._nothing = nothing
        self._every = every
        self._look: Look | None = None
        self._look_again = asyncio.Event()
        self._under_way: dict[RowKey, list[str]] = {}
        self._wanted = ""
        self._order = Order.WRITTEN

    def compose(self) -> ComposeResult:
        yield self._summary
        yield self.table
        yield self._detail
        yield self.lower
        yield self._prompt
        yield KeyLine()

    def on_mount(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._end, ExitCode.TERMINATED)
        loop.add_signal_handler(signal.SIGINT, self._end, ExitCode.INTERRUPTED)
        self.app_resume_signal.subscribe(self, self._draw_anew)
        self.table.focus()
        self._keep_looking()

    def _draw_anew(self, _app: App[None]) -> None:
        """After `fg` the terminal's screen is empty, and Textual draws only what has changed since."""
        self.refresh()

    def _end(self, code: ExitCode) -> None:
        self.exit(return_code=code)

    def _handle_exception(self, error: Exception) -> None:
        """Textual's own, which would print a traceback; `run` tells the failure as every command does."""
        cause = error.error if isinstance(error, WorkerFailed) else error
        self.failure = self.failure or (cause if isinstance(cause, Exception) else error)
        super()._handle_exception(error)

    # What there is to see

    @work
    async def _keep_looking(self) -> None:
        try:
            while True:
                self._look_again.clear()
                await self._look_once()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._look_again.wait(), self._every)
        finally:
            self._looking.submit(self._watcher.close)
            self._looking.shutdown(wait=False)  # after what it is at

    async def _look_once(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            look = await loop.run_in_executor(self._looking, self._watcher.look)
        except PortsupError as failure:
            self._summary.update(Text(plain(failure.message), "bold red"))
            return
        self._look = look
        self.lower.events.add(event_lines.lines(look.happened))
        self.lower.mark_gone(look.instances)
        self._show(look)

    def _show(self, look: Look) -> None:
        summary = Text(self._summed_up(look))
        summary.truncate(self.size.width, overflow="ellipsis")
        self._summary.update(summary)
        self.table.nothing = "no service matches; Esc shows all" if self._wanted else self._nothing
        self.table.show(rows.rows(look, self._wanted, self._order, self._under_way))
        self._show_selected()

    def _summed_up(self, look: Look) -> str:
        parts = [f"only {self._wanted!r}"] if self._wanted else []
        parts += [self._order.value] if self._order is not Order.WRITTEN else []
        return "; ".join(map(plain, [*parts, rows.summary(look)]))

    def _show_again(self) -> None:
        if self._look is not None:
            self._show(self._look)

    @on(ServiceTable.Moved)
    def _show_selected(self) -> None:
        """All that depends on the selected row. On the whole screen a log stays, whatever becomes of it."""
        seen, service, strips = self._seen(), self._service(), self._strips()
        own = [one for one in strips if service and one.service == service.name]
        lines = pool_lines.strips(own, self.size.width)
        if service and (why := shown.trouble(service)):
            lines.insert(0, Text(plain(f"{service.name}: {why}"), "yellow"))
        self._detail.display = bool(lines)
        self._detail.update(Text("\n").join(lines))
        self.lower.show_pools(seen, strips)
        if not self.screen.has_class(WHOLE):
            self.lower.read(seen, service and service.name)

    # What is selected

    def _seen(self) -> Seen | None:
        key = self.table.selected
        present = self._look.instances if self._look else ()
        return next((seen for seen in present if key and seen.id == key.instance), None)

    def _service(self) -> ServiceSnapshot | None:
        seen, key = self._seen(), self.table.selected
        services = seen.snapshot.services if seen else ()
        return next((service for service in services if key and service.name == key.service), None)

    def _strips(self) -> list[Strip]:
        """Of the selected instance."""
        seen = self._seen()
        strips = self._look.strips if self._look else ()
        return [one for one in strips if seen and one.instance_id == seen.record.instance_id]

    # The keys

    def action_interrupt(self) -> None:
        self._end(ExitCode.INTERRUPTED)

    def action_change(self, verb: str) -> None:
        key, seen = self.table.selected, self._seen()
        if key is None or seen is None or key.service is None:
            self.notify("select a service first", severity="warning", markup=False)
        elif verb not in self._under_way.get(key, ()):
            self._change(key, seen, verb, key.service)

    @work
    async def _change(self, key: RowKey, seen: Seen, verb: str, service: str) -> None:
        verbs = self._under_way.setdefault(key, [])
        verbs.append(verb)
        self._show_again()
        try:
            after = await changes.change(seen.record, verb, service)
        except PortsupError as failure:
            text = "\n".join(words.of_error(failure))
            self.notify(text, severity="error", timeout=ERROR_SECONDS, markup=False)
        else:
            there = after is None or changes.reached(verb, after)
            text = words.of_change(verb, service, after)
            self.notify(text, severity="information" if there else "error", markup=False)
        finally:
            verbs.remove(verb)
            self._look_again.set()

    def action_logs(self) -> None:
        self.lower.turn_to(LOG)
        self.screen.add_class(WHOLE)
        self.lower.view.focus()

    def action_events(self) -> None:
        self._turn_to_and_back(EVENTS)

    def action_pools(self) -> None:
        self._turn_to_and_back(POOLS)

    def _turn_to_and_back(self, what: str) -> None:
        self.lower.turn_to(LOG if self.lower.current == what else what)
        self._focus()

    def action_other_pane(self) -> None:
        if self.table.has_focus or self.screen.has_class(WHOLE):
            self.lower.view.focus()
        else:
            self.table.focus()

    def action_step_back(self) -> None:
        """Out of the search, the whole screen, the filter, the other views: whichever is the innermost.
        What was announced has been read."""
        self.clear_notifications()
        view = self.lower.growing
        if view is not None and view.is_searched:
            view.find("")
        elif self.screen.has_class(WHOLE):
            self.screen.remove_class(WHOLE)
            self._show_selected()
        elif self._wanted:
            self._filter_by("")
        else:
            self.lower.turn_to(LOG)
        self._focus()

    def _focus(self) -> None:
        (self.lower.view if self.screen.has_class(WHOLE) else self.table).focus()

    def action_follow(self) -> None:
        if view := self.lower.growing:
            view.follow()

    def action_next_match(self, step: int) -> None:
        if view := self.lower.growing:
            view.next_match(step)

    def action_find(self) -> None:
        if view := self.lower.growing:
            self._prompt.ask("find", "", view.find, self._focus)

    def action_filter(self) -> None:
        self._prompt.ask("only services with", self._wanted, self._filter_by, self._focus)

    def _filter_by(self, wanted: str) -> None:
        self._wanted = wanted
        self._show_again()

    def action_order(self) -> None:
        orders = list(Order)
        self._order = orders[(orders.index(self._order) + 1) % len(orders)]
        self._show_again()

    def action_help(self) -> None:
        self.push_screen(HelpScreen())
