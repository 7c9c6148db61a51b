"""What a person at `portsup up` sees: the services' lines on stdout, the supervisor's on stderr.

Beside a command of `portsup run`, whose own stdout is, both go to stderr."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence

from supervisor.lines import COLOURS, prefixed
from supervisor.supervise.outlet import Outlet

LEVEL_COLOURS = {"warning": 33, "error": 31}


class Console:
    def __init__(
        self, services: Sequence[str], *, label: str = "", colour: Mapping[int, bool], lines_to: int = 1
    ) -> None:
        """`label` goes before each name (several instances on one terminal); `colour` by descriptor.
        Services' lines go to descriptor `lines_to`: stderr, where stdout is for somebody else's data."""
        self._stderr = Outlet(2)
        self._lines_to = lines_to
        self._lines_outlet = Outlet(1) if lines_to == 1 else self._stderr
        self._label = label
        self._colour = colour
        self._terminal = {fd: os.isatty(fd) for fd in (1, 2)}
        self._colours: dict[str, int] = {}
        self._width = 0
        self.know(services)

    def know(self, services: Sequence[str]) -> None:
        """These are or may come: names are aligned, and each has a colour of its own that it keeps."""
        self._width = max(self._width, *(len(self._label + name) for name in [*services, "portsup"]))
        for name in services:
            self._colours.setdefault(name, COLOURS[len(self._colours) % len(COLOURS)])

    def lines(self, service: str, lines: bytes) -> None:
        """Whole lines that `service` printed: as they are, or tamed for a terminal."""
        to = self._lines_to
        self._lines_outlet.write(prefixed(self._prefix(service, to), self._shown(lines, to)))

    def say(self, level: str, service: str | None, message: str) -> None:
        """One event, as a line with the time of day."""
        # In words too, for those who see no colours
        words = f"warning: {message}" if level == "warning" else message
        text = self._shown(words.encode(errors="replace") + b"\n", 2)[:-1]
        if self._colour[2] and level in LEVEL_COLOURS:
            text = b"\x1b[%dm%s\x1b[0m" % (LEVEL_COLOURS[level], text)
        self._stderr.write(
            self._prefix(service or "portsup", 2) + time.strftime("%H:%M:%S ").encode() + text + b"\n"
        )

    def _shown(self, lines: bytes, fd: int) -> bytes:
        if not self._terminal[fd]:
            return lines
        from supervisor.terminal import tame

        return tame(lines, styles=self._colour[fd])

    def _prefix(self, name: str, fd: int) -> bytes:
        text = (self._label + name).ljust(self._width) + " | "
        if not self._colour[fd]:
            return text.encode()
        return f"\x1b[{self._colours.get(name, 2)}m{text}\x1b[0m".encode()

    def close(self) -> None:
        self._lines_outlet.close()
        self._stderr.close()
