"""Lines of several services on one stream: whole ones only, each with its service's name before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
"""ANSI foregrounds in the order in which services get them; red is kept for errors."""

LINE_MAX = 1 << 20
"""Bytes of an unfinished line that are held back for its end; a longer one is cut there."""


class Prefixer:
    """Writes one service's output, chunk by chunk."""

    def __init__(self, prefix: bytes, write: Callable[[bytes], None]) -> None:
        self._prefix = prefix
        self._write = write
        self._rest = bytearray()

    def __call__(self, data: bytes) -> None:
        """Write the lines that end in `data`; what is unfinished waits, so that nothing gets between."""
        end = data.rfind(b"\n") + 1
        if end:
            self._write_lines(bytes(self._rest) + data[:end])
            self._rest.clear()
        self._rest += data[end:]
        if len(self._rest) > LINE_MAX:
            self.finish()

    def finish(self) -> None:
        """Write what is unfinished as a line."""
        if self._rest:
            self._write_lines(bytes(self._rest) + b"\n")
            self._rest.clear()

    def _write_lines(self, lines: bytes) -> None:
        self._write(self._prefix + lines[:-1].replace(b"\n", b"\n" + self._prefix) + b"\n")


def prefixes(names: Sequence[str], known: Sequence[str], *, colour: bool) -> list[bytes]:
    """ "name | " for each of `names`, aligned. A service has its place among all `known` ones for a
    colour, which stays the same whichever others are shown."""
    width = max((len(name) for name in names), default=0)
    return [_prefix(name.ljust(width), known.index(name), colour) for name in names]


def _prefix(name: str, index: int, colour: bool) -> bytes:
    text = f"{name} | "
    return (f"\x1b[{COLOURS[index % len(COLOURS)]}m{text}\x1b[0m" if colour else text).encode()
