"""What reaches a terminal of a service's output: text and styles, nothing that the terminal would obey."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.lines import Lines
from supervisor.terminal import tame

CASES = {
    "plain": (b"plain\ttext\n", b"plain\ttext\n"),
    "colour": (b"\x1b[1;31mred\x1b[0m\n", b"\x1b[1;31mred\x1b[0m\n"),
    "colours with colons": (b"\x1b[38:2::1:2:3mx\x1b[m\n", b"\x1b[38:2::1:2:3mx\x1b[m\n"),
    "left on": (b"\x1b[0m\x1b[4mlink\nnext\n", b"\x1b[0m\x1b[4mlink\x1b[0m\nnext\n"),
    "left on by part": (b"\x1b[1m\x1b[31mx\x1b[39m\n", b"\x1b[1m\x1b[31mx\x1b[39m\x1b[0m\n"),
    "clears the screen": (b"\x1b[2J\x1b[3J\x1b[Hhello\n", b"hello\n"),
    "moves": (b"a\x1b[10A\x1b[5;5Hb\x1b[2K\n", b"ab\n"),
    "alternate screen": (b"\x1b[?1049hvim\x1b[?1049l\n", b"vim\n"),
    "asks": (b"\x1b[6n\x1b[c\x1b[>q\n", b"\n"),
    "sets modes of keys": (b"\x1b[>4;2mx\x1b[?25l\n", b"x\n"),
    "title": (b"\x1b]0;owned\x07x\x1b]2;owned\x1b\\y\n", b"xy\n"),
    "link": (b"\x1b]8;;http://a/\x1b\\here\x1b]8;;\x1b\\\n", b"here\n"),
    "clipboard": (b"\x1b]52;c;cm0gLXJmCg==\x07\n", b"\n"),
    "device control": (b'\x1bP$q"p\x1b\\\x1b_apc\x1b\\\x1b^pm\x1b\\\x1bXsos\x1b\\x\n', b"x\n"),
    "reset and charsets": (b"\x1bc\x1b(0\x1b#8\x1b7\x1b8\x1bMx\n", b"x\n"),
    "never ends": (b"\x1b]0;title\n\x1b[31\nx\x1b\n", b"\\x1b]0;title\n\\x1b[31\nx\\x1b\n"),
    "two escapes": (b"\x1b\x1b[2J[2J\n", b"\\x1b[2J\n"),
    "broken by a control": (b"\x1b[3\x071m\n", b"\\x1b[3\\x071m\n"),
    "8-bit": (b"\x9b31m\xc2\x9b2J\xc2\x90x\n", b"\\x9b31m\\x9b2J\\x90x\n"),
    "no UTF-8": (b"\xff caf\xe9 \xed\xa0\x80\n", b"\\xff caf\\xe9 \\xed\\xa0\\x80\n"),
    "UTF-8": ("✓ café 日本\n".encode(), "✓ café 日本\n".encode()),
    "bells and the like": (
        b"\x07\x08\x00\x0b\x0c\x0e\x0f\x7f\n",
        b"\\x07\\x08\\x00\\x0b\\x0c\\x0e\\x0f\\x7f\n",
    ),
    "progress": (b"\r10%\x1b[K\r\x1b[2K20%\r\n\r\nend\r\r\n", b"10%\n20%\n\nend\n"),
}


@pytest.mark.parametrize("case", CASES)
def test_table(case: str) -> None:
    """Styles and text stay, complete sequences go, the rest becomes visible."""
    printed, shown = CASES[case]
    assert tame(printed, styles=True) == shown


@pytest.mark.parametrize("case", CASES)
def test_without_styles(case: str) -> None:
    """The same without any escape code."""
    printed, shown = CASES[case]
    assert tame(printed, styles=False) == re.sub(rb"\x1b\[[0-9;:]*m", b"", shown)


PIECES = st.sampled_from(
    [b"\x1b", b"\x1b[", b"31m", b"\x1b[1m", b"\x1b[0m", b"2J", b"\x1b]0;", b"\x07", b"\x1b\\", b"\r", b"\n"]
)
OUTPUT = st.lists(st.binary(max_size=6) | PIECES, max_size=30).map(b"".join)
STYLE = re.compile(r"\x1b\[[0-9;:]*m")


@given(OUTPUT)
def test_nothing_is_left_that_a_terminal_obeys(printed: bytes) -> None:
    """No control character but tab, newline and complete styles; no line ends with a style on."""
    shown = tame(printed + b"\n", styles=True).decode()
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", STYLE.sub("", shown))
    assert shown.endswith("\n")
    for line in shown.split("\n"):
        last = STYLE.findall(line)[-1:]
        assert last in ([], ["\x1b[0m"], ["\x1b[m"]) or re.fullmatch(r"\x1b\[0+m", last[0])


@given(OUTPUT)
def test_tame_stays_tame(printed: bytes) -> None:
    """What has been tamed once has nothing that could be tamed."""
    for styles in (True, False):
        once = tame(printed + b"\n", styles=styles)
        assert tame(once, styles=styles) == once


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"])))
def test_text_is_unchanged(text: str) -> None:
    """Whatever the script."""
    line = text.encode() + b"\n"
    assert tame(line, styles=True) == tame(line, styles=False) == line


@given(OUTPUT, st.lists(st.integers(0, 200)))
def test_chunks_make_no_difference(printed: bytes, cuts: list[int]) -> None:
    """Wherever a read ended: lines are put together before they are tamed."""
    whole, pieces = printed + b"\n", list[bytes]()
    lines = Lines(lambda some: pieces.append(tame(some, styles=True)))
    ends = sorted({min(cut, len(whole)) for cut in cuts} | {len(whole)})
    for start, end in zip([0, *ends], ends, strict=False):
        lines(whole[start:end])
    assert b"".join(pieces) == tame(whole, styles=True)
