"""Plain lines from a terminal's."""

from __future__ import annotations

import pytest

from supervisor.supervise.line_ends import LineEnds


@pytest.mark.parametrize(
    ("printed", "plain"),
    [
        (b"one\r\ntwo\r\n", b"one\ntwo\n"),
        (b"50%\r100%\r\n", b"50%\r100%\n"),
        (b"dos\r\r\n", b"dos\r\n"),
        (b"\n\r\r", b"\n\r\r"),
    ],
)
def test_one_return_is_taken_out(printed: bytes, plain: bytes) -> None:
    """The one that the terminal put there, wherever the output was cut; the program's own stay."""
    for cut in range(len(printed) + 1):
        got: list[bytes] = []
        ends = LineEnds([got.append])
        ends(printed[:cut])
        ends(printed[cut:])
        ends.finish()
        assert b"".join(got) == plain
