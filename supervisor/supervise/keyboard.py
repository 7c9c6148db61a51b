"""A child's terminal and those who are attached to it: each sees the output and may type.

Nobody who is slow holds up the child or the supervisor: what waits for somebody, and what waits for the
child, has a bound.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from typing import NamedTuple

from supervisor.modes import Modes
from supervisor.process.pty import redraw, set_size
from supervisor.terminal import tame

HISTORY = 1 << 16
"""Bytes of the last output that are kept for those who attach."""

BEHIND = 1 << 20
"""Bytes of output that may wait for somebody who doesn't read; with more, they are shown out."""

TYPED_AHEAD = 1 << 16
"""Bytes that may wait for a child that doesn't read, from each who types; no more are taken meanwhile."""


class News(NamedTuple):
    """What somebody who is attached is told."""

    output: bytes
    typed: int
    """How many bytes of theirs the terminal has taken, since they came."""
    ended: str | None
    """Why nothing follows."""


class Viewer:
    """One who is attached."""

    def __init__(self, keyboard: Keyboard, shown: bytes) -> None:
        self._keyboard = keyboard
        self._output = bytearray(shown)
        self._sent = self._typed = 0
        self._ended: str | None = None
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._over = asyncio.Event()
        if shown:
            self._news.set()

    # For the connection

    async def news(self) -> News:
        """What has come since the last time; waits until there is something."""
        await self._news.wait()
        self._news.clear()
        news = News(bytes(self._output), self._typed, self._ended)
        self._output.clear()
        return news

    async def type(self, keys: bytes) -> None:
        """Hand `keys` on; waits while too many of theirs wait for the child."""
        if self._ended is None:
            self._sent += len(keys)
            self._keyboard.type(self, keys)
        while self._ended is None and self._sent - self._typed > TYPED_AHEAD:
            self._room.clear()
            await self._room.wait()

    async def over(self) -> None:
        """Return when nothing follows."""
        await self._over.wait()

    def close(self) -> None:
        """They are gone."""
        self._keyboard.leave(self)

    # For the keyboard

    def show(self, output: bytes) -> None:
        self._output += output
        self._news.set()
        if len(self._output) > BEHIND:
            self._keyboard.leave(self)
            self.end(f"more than {BEHIND >> 10} KiB of output waited for this terminal to read them")

    def took(self, count: int) -> None:
        self._typed += count
        self._news.set()
        self._room.set()

    def end(self, why: str) -> None:
        self._ended = why
        for event in (self._news, self._room, self._over):
            event.set()


class Keyboard:
    def __init__(self, fd: int) -> None:
        """`fd` is our end of the terminal; closed by its child, after `end`."""
        self._fd = fd
        self._loop = asyncio.get_running_loop()
        self._viewers: list[Viewer] = []
        self._history = bytearray()
        self._modes = Modes()
        self._waiting: deque[tuple[Viewer, bytes]] = deque()
        """What was typed and not yet taken, and by whom."""

    def attach(self, size: os.terminal_size | None, lines: int) -> Viewer:
        """One more, who is shown the last `lines` first. With a `size` the terminal gets that of theirs."""
        viewer = Viewer(self, self._screen(lines))
        self._viewers.append(viewer)
        if size is not None:
            set_size(self._fd, size)
            redraw(self._fd)
        return viewer

    def resize(self, size: os.terminal_size) -> None:
        set_size(self._fd, size)

    def show(self, output: bytes) -> None:
        """The child has printed this."""
        self._modes.follow(output)
        self._history += output
        if len(self._history) > 2 * HISTORY:
            del self._history[:-HISTORY]
        for viewer in tuple(self._viewers):
            viewer.show(output)

    def _screen(self, lines: int) -> bytes:
        """What a terminal gets that comes late: of a program that draws, its modes; else the last lines,
        without what a terminal would obey or answer a second time."""
        if self._modes.full_screen:
            return self._modes.enter()
        text = bytes(self._history[-HISTORY:]).replace(b"\r\n", b"\n")
        kept = text.split(b"\n")[-lines - 1 :] if lines else []
        shown = tame(b"\n".join(kept) + b"\n", styles=True).removesuffix(b"\n") if kept else b""
        return shown.replace(b"\n", b"\r\n") + self._modes.enter()

    # Typing

    def type(self, viewer: Viewer, keys: bytes) -> None:
        self._waiting.append((viewer, keys))
        self._hand_on()

    def _hand_on(self) -> None:
        """As much as the terminal takes now; the rest when it takes more."""
        while self._waiting:
            viewer, keys = self._waiting[0]
            try:
                count = os.write(self._fd, keys)
            except BlockingIOError:
                self._loop.add_writer(self._fd, self._hand_on)
                return
            except OSError:  # hung up: nobody will read it
                count = len(keys)
            self._drop(count)
            viewer.took(count)
        self._loop.remove_writer(self._fd)

    def _drop(self, count: int) -> None:
        viewer, keys = self._waiting.popleft()
        if count < len(keys):
            self._waiting.appendleft((viewer, keys[count:]))

    # The end

    def leave(self, viewer: Viewer) -> None:
        if viewer in self._viewers:
            self._viewers.remove(viewer)
        self._waiting = deque(entry for entry in self._waiting if entry[0] is not viewer)

    def end(self, why: str) -> None:
        """The child is gone, and all that it printed was shown."""
        self._loop.remove_writer(self._fd)
        self._waiting.clear()
        for viewer in self._viewers:
            viewer.end(why)
        self._viewers.clear()
