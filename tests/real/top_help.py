"""What tests of `portsup top` share: the program without a terminal, and what stands on its screen."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from harness import LOOK_EVERY
from textual.pilot import Pilot

from supervisor.tui.app import Top
from supervisor.tui.watcher import Scope

T = TypeVar("T")

SECONDS = 15

EVERY = 0.1
"""Seconds between two looks: so much time a test has, not a person."""


class Shown:
    """A running Top, and a person before it."""

    def __init__(self, pilot: Pilot[None]) -> None:
        self._pilot = pilot
        app = pilot.app
        assert isinstance(app, Top)
        self.app = app

    @property
    def rows(self) -> list[str]:
        """What stands on the screen, without spaces at the end of rows."""
        strips = self.app.screen._compositor.render_strips()
        return [strip.text.rstrip() for strip in strips]

    def colours(self, row: int) -> dict[str, int | None]:
        """The number of each piece's foreground among the terminal's own colours."""
        strip = self.app.screen._compositor.render_strips()[row]
        styles = {segment.text: segment.style for segment in strip}
        return {text: style.color.number for text, style in styles.items() if style and style.color}

    @property
    def toasts(self) -> list[str]:
        """What was announced, the latest last."""
        return [one.message for one in self.app._notifications]

    def row(self, start: str) -> str:
        """The first row that begins so, whether or not the cursor stands on it; empty if there is none."""
        marks = "▸ "
        return next((row for row in self.rows if row.lstrip(marks).startswith(start)), "")

    @property
    def cursor(self) -> str:
        """The row with the cursor."""
        return next((row for row in self.rows if row.startswith("▸")), "")

    async def press(self, *keys: str) -> None:
        await self._pilot.press(*keys)

    async def type(self, text: str) -> None:
        await self._pilot.press(*(character if character != " " else "space" for character in text), "enter")

    async def resize(self, columns: int, rows: int) -> None:
        await self._pilot.resize_terminal(columns, rows)

    async def until(self, look: Callable[[], T], what: str = "") -> T:
        """The first truthy answer. Raises AssertionError with the screen after SECONDS."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + SECONDS
        while not (answer := look()):
            assert loop.time() < deadline, f"in vain for {what}; on the screen:\n" + "\n".join(self.rows)
            await self._pilot.pause(LOOK_EVERY)
        return answer

    async def shows(self, *texts: str) -> None:
        """Return when all of them stand on the screen."""
        await self.until(lambda: all(text in "\n".join(self.rows) for text in texts), repr(texts))


@contextlib.asynccontextmanager
async def top(folder: Path, *, size: tuple[int, int] = (140, 40), **scope: Any) -> AsyncIterator[Shown]:
    """`portsup top` before a lock folder."""
    app = Top(Scope(folder, **scope), "nothing is up", every=EVERY)
    async with app.run_test(size=size, notifications=True) as pilot:
        yield Shown(pilot)


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)
