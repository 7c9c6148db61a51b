"""Texts of other languages on their way to services.toml: literal pieces and references. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

_DOLLAR = re.compile(r"\$(?=[{$])")


class Ref(NamedTuple):
    """`${name}` of services.toml."""

    name: str


Part = str | Ref


class Text(NamedTuple):
    parts: tuple[Part, ...]
    """No two strings in a row, no empty one."""

    @staticmethod
    def of(*parts: Part) -> Text:
        joined: list[Part] = []
        for part in parts:
            if isinstance(part, str) and joined and isinstance(joined[-1], str):
                joined[-1] += part
            elif part:
                joined.append(part)
        return Text(tuple(joined))

    @property
    def plain(self) -> str | None:
        """The text itself, if it refers to nothing."""
        if not self.parts:
            return ""
        (first, *more) = self.parts
        return first if isinstance(first, str) and not more else None

    @property
    def written(self) -> str:
        """As services.toml writes it: a dollar that would begin something is doubled."""
        pieces = []
        for part, following in zip(self.parts, (*self.parts[1:], ""), strict=False):
            if isinstance(part, Ref):
                pieces.append(f"${{{part.name}}}")
                continue
            ends = "$" if part.endswith("$") and isinstance(following, Ref) else ""
            pieces.append(_DOLLAR.sub("$$", part) + ends)
        return "".join(pieces)

    def replace(self, pattern: re.Pattern[str], made: Callable[[re.Match[str]], Iterable[Part]]) -> Text:
        """What the pattern finds in the literal pieces becomes the parts that `made` gives."""
        parts: list[Part] = []
        for part in self.parts:
            parts += [part] if isinstance(part, Ref) else _replaced(part, pattern, made)
        return Text.of(*parts)


def _replaced(
    text: str, pattern: re.Pattern[str], made: Callable[[re.Match[str]], Iterable[Part]]
) -> list[Part]:
    parts: list[Part] = []
    end = 0
    for match in pattern.finditer(text):
        parts += [text[end : match.start()], *made(match)]
        end = match.end()
    return [*parts, text[end:]]


PORT_VARIABLE = re.compile(r"\$PORT\b|\$\{PORT(?::?-(?P<usual>\d*))?\}")
"""The own port as a shell has it, perhaps with what holds without one."""


def with_port(text: Text) -> Text:
    """`$PORT` as `${port}`."""
    return text.replace(PORT_VARIABLE, lambda _: [Ref("port")])


_SAFE = re.compile(r"[\w@%+=:,./-]*", re.ASCII)


def join_words(words: Iterable[Text]) -> Text:
    """A line that splits into these words again, as shlex.join makes one of strings."""
    parts: list[Part] = []
    for word in words:
        parts += [" "] if parts else []
        parts += _quoted(word)
    return Text.of(*parts)


def _quoted(word: Text) -> Iterator[Part]:
    if word.parts and all(isinstance(part, Ref) or _SAFE.fullmatch(part) for part in word.parts):
        yield from word.parts
        return
    yield "'"
    for part in word.parts:
        yield part if isinstance(part, Ref) else part.replace("'", "'\"'\"'")
    yield "'"


def split_words(text: Text) -> list[Text]:
    """The words of a line, as a shell splits them. Raises ValueError for a quote that is never closed."""
    import shlex

    refs = [part for part in text.parts if isinstance(part, Ref)]
    marked = "".join(part if isinstance(part, str) else _MARK for part in text.parts)
    return [_with_refs(word, refs) for word in shlex.split(marked)]


_MARK = "\x00"
"""Stands for a reference; no text has it."""


def _with_refs(word: str, refs: list[Ref]) -> Text:
    pieces = word.split(_MARK)
    parts: list[Part] = [pieces[0]]
    for piece in pieces[1:]:
        parts += [refs.pop(0), piece]
    return Text.of(*parts)
