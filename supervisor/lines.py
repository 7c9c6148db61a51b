"""Output of services as whole lines, each with its service's name before it. Leaf."""

from __future__ import annotations

from collections.abc import Callable, Iterable

COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
"""ANSI foregrounds in the order in which services get them; red is kept for errors."""

LINE_MAX = 1 << 20
"""Bytes of an unfinished line that are held back for its end; a longer one is cut there."""


def colours(names: Iterable[str]) -> dict[str, int]:
    """A colour for each service of a stack: the same in every run and every command, whatever the order."""
    return {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(sorted(names))}


class Lines:
    """Cuts chunks into whole lines for somebody else.

    A chunk with many lines is passed on as one piece; the unfinished rest waits for its end, so that
    nothing gets between.
    """

    def __init__(self, pass_on: Callable[[bytes], None]) -> None:
        """`pass_on` gets one or more whole lines, each with its newline."""
        self._pass_on = pass_on
        self._rest = bytearray()

    def __call__(self, data: bytes) -> None:
        end = data.rfind(b"\n") + 1
        if end:
            self._pass_on(bytes(self._rest) + data[:end])
            self._rest.clear()
        self._rest += data[end:]
        if len(self._rest) > LINE_MAX:
            self.finish()

    def finish(self) -> None:
        """Pass on an unfinished line, ended here."""
        if self._rest:
            self._pass_on(bytes(self._rest) + b"\n")
            self._rest.clear()


def prefixed(prefix: bytes, lines: bytes) -> bytes:
    """`prefix` before each of the whole lines in `lines`, in one replace."""
    return prefix + lines[:-1].replace(b"\n", b"\n" + prefix) + b"\n"
