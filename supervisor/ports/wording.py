"""Facts as people read them: ages, command lines. Pure."""

from __future__ import annotations

from collections.abc import Sequence

PRUNE = "run `portsup prune`"

COMMAND_LENGTH = 60
"""Characters of a command line that an error shows."""


def printable(text: str) -> str:
    """Other people's text on our terminal: control characters become question marks."""
    return "".join(char if char.isprintable() else "?" for char in text)


def command(words: Sequence[str]) -> str:
    """A command line, shortened."""
    text = printable(" ".join(words))
    return text if len(text) <= COMMAND_LENGTH else text[: COMMAND_LENGTH - 1] + "…"


def age(seconds: float) -> str:
    """ "8 s", "3 min", "5 h", "2 d"; a clock that was set back reads as 0 s."""
    whole = max(0, int(seconds))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if whole >= size:
            return f"{whole // size} {unit}"
    return f"{whole} s"


def or_root(uid: int | None) -> str:
    """Who may do what belongs to user `uid`."""
    return f"uid {uid} or root" if uid else "root"
