"""A moment in the past, as people write it on a command line."""

from __future__ import annotations

import time
from typing import Any

import click

from supervisor.cli.output import printable
from supervisor.config import durations

FORM = 'as "10m" ago, at "14:30" or at "2026-11-24T10:00"'


class Since(click.ParamType):  # type: ignore[type-arg]  # generic in newer clicks only
    """How long ago, a time of day (the last one), or a date and time; local unless it says where."""

    name = "since"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Milliseconds since 1970."""
        text = str(value).strip()
        try:
            return round(moment(text, time.time()) * 1000)
        except (ValueError, OverflowError, OSError):  # the last two: no calendar has it
            return self.fail(f"{printable(text)!r} is no time: write it {FORM}", param, ctx)

    def get_metavar(self, *_: Any, **__: Any) -> str:
        return "TIME"


def moment(text: str, now: float) -> float:
    """Seconds since 1970. Raises ValueError, OverflowError, OSError."""
    try:
        return now - durations.seconds(text)
    except ValueError:
        pass
    from datetime import datetime, timedelta  # costs milliseconds

    if "-" in text:
        return datetime.fromisoformat(text).timestamp()
    if ":" not in text:
        raise ValueError(text)
    today = datetime.fromtimestamp(now)
    then = datetime.fromisoformat(f"{today:%Y-%m-%d}T{text}")
    if then.timestamp() > now:
        then -= timedelta(days=1)
    return then.timestamp()
