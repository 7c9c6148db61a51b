"""Events as lines of the lower pane."""

from __future__ import annotations

import time
from collections.abc import Sequence

from supervisor.monitor.event_feed import Happened
from supervisor.terminal import RESET
from supervisor.tui.safe_text import plain

SGR = {"debug": "2", "warning": "33", "error": "1;31"}
"""Between ESC [ and m, for the levels that have a style."""


def lines(happened: Sequence[Happened]) -> list[str]:
    return [_line(one) for one in happened]


def _line(one: Happened) -> str:
    event = one.event
    instance = f"{one.record.stack} {one.record.instance}"
    who = instance if event.service is None else f"{instance} {event.service}"
    mark = f"{event.level}: " if event.level in ("warning", "error") else ""
    text = f"{_clock(event.time)}  {plain(who)}  {mark}{plain(event.message)}"
    style = SGR.get(event.level)
    return text if style is None else f"\x1b[{style}m{text}{RESET}"


def _clock(seconds: float) -> str:
    try:
        return time.strftime("%H:%M:%S", time.localtime(seconds))
    except (OverflowError, ValueError, OSError):
        return "--:--:--"
