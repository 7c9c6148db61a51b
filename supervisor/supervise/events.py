"""What the supervisor does, told twice: a JSON object a line to a file, a short line to people.

Values of a service's environment never come here.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from supervisor.config.model import LogLimits
from supervisor.errors import PortsupError
from supervisor.private import open_log

LIMITS = LogLimits()
"""As of a service that says nothing about its log."""
Say = Callable[[str, str, str | None, str], None]
"""Tells people: level, event, service and the short line."""


class EventLog:
    """Appends to the instance's event log. A full disk loses events, never an instance."""

    def __init__(self, path: Path, say: Say, **always: Any) -> None:
        """`always` stands in each object.

        Raises PortsupError if the file can't be opened.
        """
        self._path = path
        self._fd = open_log(path)
        self._room = LIMITS.max_size - os.fstat(self._fd).st_size
        self._say = say
        self._always = always

    def detail(self, event: str, message: str, *, service: str | None = None, **fields: Any) -> None:
        """Something for the file that people needn't see: another line says it better."""
        self._write("debug", event, message, service, fields)

    def info(self, event: str, message: str, *, service: str | None = None, **fields: Any) -> None:
        self._write("info", event, message, service, fields)

    def warning(self, event: str, message: str, *, service: str | None = None, **fields: Any) -> None:
        self._write("warning", event, message, service, fields)

    def error(self, event: str, message: str, *, service: str | None = None, **fields: Any) -> None:
        self._write("error", event, message, service, fields)

    def _write(
        self, level: str, event: str, message: str, service: str | None, fields: dict[str, Any]
    ) -> None:
        if level != "debug":
            self._say(level, event, service, message)
        entry = {
            "time": _now(),
            "level": level,
            "event": event,
            **self._always,
            **({"service": service} if service else {}),
            **fields,
            "message": message,
        }
        line = json.dumps(entry, default=str).encode() + b"\n"
        if self._room < len(line):
            self._set_aside()
        self._room -= len(line)
        try:
            os.write(self._fd, line)
        except OSError:
            pass  # the disk is full: people still see the line

    def _set_aside(self) -> None:
        from supervisor.supervise.rotation import rotate  # hardly ever

        self._room = LIMITS.max_size
        try:
            fd = rotate(self._path, LIMITS.files)
        except (OSError, PortsupError):
            return  # it grows on
        os.close(self._fd)
        self._fd = fd

    def close(self) -> None:
        os.close(self._fd)


def _now() -> str:
    """UTC with milliseconds, ISO 8601."""
    seconds = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1000):03d}Z"
