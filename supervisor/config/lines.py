"""Which line of a TOML file a key stands on: tomllib doesn't tell.

The scanner knows just enough of TOML to find where statements begin: strings of all four kinds,
comments and brackets. It expects text that tomllib has accepted and never raises on any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

KeyPath = tuple[str, ...]

_DEPTH = 8
"""Parts of a path that are remembered: deeper than any key of services.toml, so that a hostile
`a.a.a.…` costs nothing."""

_TOKEN = re.compile(
    r'''
      (?P<string> """(?:\\.|[^\\])*?"""(?:"{0,2}) | \'\'\'.*?\'\'\'(?:\'{0,2})
                | "(?:\\.|[^"\\\n])*" | '[^'\n]*' )
    | (?P<comment> \#[^\n]* )
    | (?P<newline> \n )
    | (?P<open> [\[{] )
    | (?P<close> [\]}] )
    | (?P<space> [^\S\n]+ )
    | (?P<other> [^\s"'\#\[\]{}]+ | . )
    ''',
    re.VERBOSE | re.DOTALL,
)
_PART = r"""(?:"(?:\\.|[^"\\\n])*"|'[^'\n]*'|[A-Za-z0-9_-]+)"""
_KEY = rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*"
_HEADER = re.compile(rf"\[\[?[ \t]*({_KEY})[ \t]*\]")
_ENTRY = re.compile(rf"({_KEY})[ \t]*=")
_PARTS = re.compile(_PART)


class Lines:
    """The lines of one document's keys, counted from 1."""

    def __init__(self, text: str) -> None:
        self._lines: dict[KeyPath, int] = {}
        text = text.replace("\r\n", "\n")
        table: KeyPath = ()
        for line, start in _statements(text):
            if header := _HEADER.match(text, start):
                table = _path(header[1])
                self._remember(table, line)
            elif entry := _ENTRY.match(text, start):
                self._remember(table + _path(entry[1]), line)

    def _remember(self, path: KeyPath, line: int) -> None:
        for length in range(1, min(len(path), _DEPTH) + 1):
            self._lines.setdefault(path[:length], line)

    def of(self, path: KeyPath) -> int:
        """The line of the key at `path`, else of the nearest key around it, else 1."""
        known = path[:_DEPTH]
        while known and known not in self._lines:
            known = known[:-1]
        return self._lines.get(known, 1)


def _statements(text: str) -> Iterator[tuple[int, int]]:
    """Line and offset at which each table header and each `key = value` begins."""
    line, depth, at_start = 1, 0, True
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if at_start and kind in ("string", "open", "other"):
            yield line, token.start()
            at_start = False
        if kind == "newline":
            at_start = depth == 0
        elif kind == "open":
            depth += 1
        elif kind == "close":
            depth = max(0, depth - 1)
        line += token[0].count("\n")


def _path(key: str) -> KeyPath:
    return tuple(_unquoted(part) for part in _PARTS.findall(key)[:_DEPTH])


def _unquoted(part: str) -> str:
    if part.startswith("'"):
        return part[1:-1]
    if not part.startswith('"'):
        return part
    import tomllib

    try:
        return str(tomllib.loads(f"key = {part}")["key"])
    except ValueError:
        return part
