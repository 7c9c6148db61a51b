"""Foreign text as a screen may get it: no sequence but colours, no control character, no markup."""

from __future__ import annotations

from collections.abc import Iterable

from rich.ansi import AnsiDecoder
from rich.text import Text

from supervisor.terminal import tame

LONGEST = 4000
"""Characters of one line; nobody scrolls further to the right."""


def plain(text: str) -> str:
    """A name or a message, on one line."""
    return " ".join(_tamed([text], styles=False)).replace("\t", " ")


def safe_lines(lines: Iterable[str]) -> list[str]:
    """Of each line its text and its styles; one with carriage returns becomes several."""
    return _tamed(map(_cut, lines), styles=True)


def styled(line: str) -> Text:
    """One of `safe_lines` as it looks."""
    return AnsiDecoder().decode_line(line.expandtabs())


def _cut(line: str) -> str:
    return line if len(line) <= LONGEST else line[:LONGEST] + "…"


def _tamed(lines: Iterable[str], *, styles: bool) -> list[str]:
    whole = "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")
    return tame(whole, styles=styles).decode().split("\n")[:-1]
