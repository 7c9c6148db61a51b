"""Plain lines from a terminal's output, for those who take the lines of a pipe."""

from __future__ import annotations

from collections.abc import Callable, Sequence


class LineEnds:
    r"""Takes out the carriage return that a terminal adds before each newline (ONLCR).

    It could be told not to: but then programs that draw, which look at that setting, would move the cursor
    in another way than the terminal of somebody who is attached, where \n alone would not go to the left.
    """

    def __init__(self, sinks: Sequence[Callable[[bytes], None]]) -> None:
        self._sinks = sinks
        self._return = b""
        """One at the end of the last piece: whether a newline comes after it, the next one shows."""

    def __call__(self, output: bytes) -> None:
        output = self._return + output
        self._return = b"\r" if output.endswith(b"\r") else b""
        self._pass_on(output.removesuffix(b"\r").replace(b"\r\n", b"\n"))

    def finish(self) -> None:
        """There is no more."""
        self._pass_on(self._return)
        self._return = b""

    def _pass_on(self, output: bytes) -> None:
        if output:
            for sink in self._sinks:
                sink(output)
