"""What a person at `portsup up` sees: the services' lines on stdout, the supervisor's on stderr.

Beside a command of `portsup run`, whose own stdout is, both go to stderr."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from supervisor.lines import colours, prefixed
from supervisor.supervise.outlet import Outlet

if TYPE_CHECKING:
    from supervisor.region import Picture

LEVEL_COLOURS = {"warning": 33, "error": 31}

DIM = 2


class Console:
    def __init__(
        self, services: Sequence[str], *, label: str = "", colour: Mapping[int, bool], lines_to: int = 1
    ) -> None:
        """`label` goes before each name (several instances on one terminal); `colour` by descriptor.
        Services' lines go to descriptor `lines_to`: stderr, where stdout is for somebody else's data."""
        self._stderr = Outlet(2)
        self._lines_to = lines_to
        together = lines_to == 2 or _same_terminal(1, 2)
        self._lines_outlet = self._stderr if together else Outlet(1)
        self._label = label
        self._colour = colour
        self._terminal = {fd: os.isatty(fd) for fd in (1, 2)}
        self.colours: dict[str, int] = {}
        self._width = 0
        self.know(services)

    def know(self, services: Sequence[str]) -> None:
        """These are or may come: names are aligned, and each has a colour of its own that it keeps."""
        self._width = max(self._width, *(len(self._label + name) for name in [*services, "portsup"]))
        self.colours = colours({*self.colours, *services}) | self.colours

    def lines(self, service: str, lines: bytes) -> None:
        """Whole lines that `service` printed: as they are, or tamed for a terminal."""
        to = self._lines_to
        self._lines_outlet.write(prefixed(self._prefix(service, to), self._shown(lines, to)))

    @property
    def can_draw(self) -> bool:
        """Whether it has a terminal that knows more than plain lines, for one instance and for us alone."""
        return self._colour[2] and not self._label and not self._is_piped

    @property
    def _is_piped(self) -> bool:
        """Whether the services' lines go to a program, as in `up | grep`: it may print them on our terminal,
        below the picture, which then would take them away."""
        return self._lines_to == 1 and stat.S_ISFIFO(os.fstat(1).st_mode)

    def show_below(self, picture: Picture | None) -> None:
        """Keep `picture` below all lines, until there is another; None takes it away."""
        self._stderr.show_below(picture)

    def draw_anew(self) -> None:
        """Somebody else has had the terminal."""
        self._stderr.draw_anew()

    def add(self, service: str, text: str, colour: int | None = None) -> None:
        """One more line about `service`, without the time."""
        shown = self._shown(text.encode(errors="replace") + b"\n", 2)
        if self._colour[2] and colour is not None:
            shown = b"\x1b[%dm%s\x1b[0m\n" % (colour, shown[:-1])
        self._stderr.write(prefixed(self._prefix(service, 2), shown))

    def say(self, level: str, _event: str, service: str | None, message: str) -> None:
        """One event, as a line with the time of day."""
        # In words too, for those who see no colours
        words = f"warning: {message}" if level == "warning" else message
        text = self._shown(words.encode(errors="replace") + b"\n", 2)[:-1]
        if self._colour[2] and level in LEVEL_COLOURS:
            text = b"\x1b[%dm%s\x1b[0m" % (LEVEL_COLOURS[level], text)
        self._stderr.write(
            self._prefix(service or "portsup", 2) + time.strftime("%H:%M:%S ").encode() + text + b"\n"
        )

    def size(self) -> os.terminal_size | None:
        """What a service's lines have, beside its name, on their terminal; None where there is none."""
        from supervisor.region import terminal_size

        if (size := terminal_size(self._lines_to)) is None:
            return None
        beside = size.columns - self._width - len(" | ")
        return os.terminal_size((beside, size.lines)) if beside > 0 else None

    def _shown(self, lines: bytes, fd: int) -> bytes:
        if not self._terminal[fd]:
            return lines
        from supervisor.terminal import tame

        return tame(lines, styles=self._colour[fd])

    def _prefix(self, name: str, fd: int) -> bytes:
        text = (self._label + name).ljust(self._width) + " | "
        if not self._colour[fd]:
            return text.encode()
        return f"\x1b[{self.colours.get(name, DIM)}m{text}\x1b[0m".encode()

    def close(self) -> None:
        self._lines_outlet.close()
        self._stderr.close()


def _same_terminal(*descriptors: int) -> bool:
    """Whether what is written to each is seen in one place: then one thread keeps it in order."""
    try:
        return len({os.ttyname(fd) for fd in descriptors}) == 1
    except OSError:  # one of them is no terminal, or closed
        return False
