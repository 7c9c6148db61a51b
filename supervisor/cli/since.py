"""A moment in the past, on a command line."""

from __future__ import annotations

import time
from typing import Any

import click

from supervisor.cli.output import printable
from supervisor.moments import FORM, moment


class Since(click.ParamType):  # type: ignore[type-arg]  # generic in newer clicks only
    """What `moment` reads."""

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
