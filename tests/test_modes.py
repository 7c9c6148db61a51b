"""What a program leaves a terminal in."""

from __future__ import annotations

import pytest

from supervisor.modes import Modes


def after(*pieces: bytes) -> Modes:
    modes = Modes()
    for piece in pieces:
        modes.follow(piece)
    return modes


@pytest.mark.parametrize(
    ("output", "enter", "leave"),
    [
        (b"plain \x1b[32mgreen\x1b[0m", b"", b""),
        (b"\x1b[?1049h\x1b[?25l", b"\x1b[?1049h\x1b[?25l", b"\x1b[?25h\x1b[?1049l"),
        (b"\x1b[?1049h\x1b[?25l text \x1b[?25h\x1b[?1049l", b"", b""),
        (b"\x1b[?1000;1006h", b"\x1b[?1000h\x1b[?1006h", b"\x1b[?1006l\x1b[?1000l"),
        (b"\x1b[?1h\x1b=", b"\x1b[?1h\x1b=", b"\x1b>\x1b[?1l"),
        (b"\x1b=\x1b>", b"", b""),
        (b"\x1b[?;h\x1b[?99", b"", b""),
    ],
)
def test_what_was_set_is_set_back(output: bytes, enter: bytes, leave: bytes) -> None:
    """In the reverse order, and what is on at first is on again; wherever the output was cut."""
    for cut in range(len(output) + 1):
        modes = after(output[:cut], output[cut:])
        assert (modes.enter(), modes.leave()) == (enter, leave + b"\x1b[0m")


def test_the_other_screen() -> None:
    """That of editors, which has no lines above it."""
    assert after(b"\x1b[?1049h").full_screen
    assert not after(b"\x1b[?25l").full_screen


def test_no_program_makes_it_keep_much() -> None:
    """Whatever it prints."""
    modes = after(b"".join(b"\x1b[?%dh" % number for number in range(1000, 2000)), b"\x1b[?" + b"1" * 10**6)
    assert len(modes.enter()) < 1000
