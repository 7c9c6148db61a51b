"""What the output of a full-screen program leaves a terminal in: private modes, which it has to undo. Leaf.

Sequences are DECSET and DECRST of xterm's ctlseqs, and the keypad's two.
"""

from __future__ import annotations

import re

SET_AT_FIRST = frozenset({b"7", b"25"})
"""On in a terminal of its own: lines wrap, and the cursor is seen."""

ALTERNATE_SCREEN = frozenset({b"47", b"1047", b"1049"})

_CHANGES = re.compile(rb"\x1b(?:\[\?([0-9;]{1,40})([hl])|([=>]))")
_BEGUN = re.compile(rb"\x1b(?:\[(?:\?[0-9;]{0,40})?)?\Z")
"""What may go on in the next piece of output."""


class Modes:
    """Follows output, piece by piece."""

    def __init__(self) -> None:
        self._changed: dict[bytes, None] = {}
        """Modes that are not as they were at first, in the order in which they were changed."""
        self._keypad = False
        self._begun = b""

    def follow(self, output: bytes) -> None:
        output = self._begun + output
        for numbers, to, keypad in _CHANGES.findall(output):
            if keypad:
                self._keypad = keypad == b"="
            for number in filter(None, numbers.split(b";")):
                self._change(number, is_set=to == b"h")
        begun = _BEGUN.search(output, max(0, len(output) - 50))
        self._begun = begun[0] if begun else b""

    def _change(self, number: bytes, *, is_set: bool) -> None:
        if is_set is (number in SET_AT_FIRST):
            self._changed.pop(number, None)
        elif len(self._changed) < 100:  # there are fewer; a program may print anything
            self._changed[number] = None

    @property
    def full_screen(self) -> bool:
        """Whether it is on the screen that has no lines above."""
        return bool(ALTERNATE_SCREEN & self._changed.keys())

    def enter(self) -> bytes:
        """Brings a terminal as it is at first into these modes."""
        return b"".join(_mode(number, number not in SET_AT_FIRST) for number in self._changed) + (
            b"\x1b=" if self._keypad else b""
        )

    def leave(self) -> bytes:
        """Brings a terminal in these modes back, and ends its colours."""
        back = b"".join(_mode(number, number in SET_AT_FIRST) for number in reversed(self._changed))
        return (b"\x1b>" if self._keypad else b"") + back + b"\x1b[0m"


def _mode(number: bytes, on: bool) -> bytes:
    return b"\x1b[?%s%s" % (number, b"h" if on else b"l")
