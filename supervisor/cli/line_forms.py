"""How `portsup logs` shows lines: with their services' names, with times, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime

from supervisor.lines import prefixed
from supervisor.timed_lines import TimedLines

Form = Callable[[TimedLines], bytes]

UNKNOWN = "-"
"""For a time, as wide as one."""


def plain(prefixes: Mapping[str, bytes], show: Callable[[bytes], bytes], *, times: bool) -> Form:
    """For people; `show` gives whole lines their form, `prefixes` are what comes before each, by service."""

    def form(lines: TimedLines) -> bytes:
        stamp = f"{iso(lines.time) or UNKNOWN:<29} ".encode() if times else b""
        return prefixed(prefixes[lines.service] + stamp, show(lines.lines))

    return form


def as_json(instance: int) -> Form:
    """For programs: one object a line. What isn't UTF-8 becomes U+FFFD."""

    def form(lines: TimedLines) -> bytes:
        time = iso(lines.time)
        return b"".join(
            json.dumps(
                {
                    "time": time,
                    "service": lines.service,
                    "instance": instance,
                    "line": line.decode(errors="replace"),
                }
            ).encode()
            + b"\n"
            for line in lines.lines[:-1].split(b"\n")
        )

    return form


def iso(time: int | None) -> str | None:
    """Local time with milliseconds and offset, as 2026-11-24T10:00:00.123+01:00."""
    if time is None:
        return None
    return datetime.fromtimestamp(time / 1000).astimezone().isoformat(timespec="milliseconds")
