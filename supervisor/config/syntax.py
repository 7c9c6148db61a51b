"""What tomllib's complaints come from."""

from __future__ import annotations

import re
from pathlib import Path

from supervisor.config.problems import dotted
from supervisor.errors import ConfigError

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_TWICE = re.compile(r"Cannot (?:declare|mutate immutable namespace) (\(.*\))(?: twice)?")
_STATEMENT = re.compile(r"\s*(?:\[\s*)*([A-Za-z0-9_.-]+)\s*[=\]]")
_BARE_WORD = re.compile(r"[=\[,]\s*([^\s\"'\[{#,\]}=][^\s,\]}=]*)")
_AFTER_VALUE = (
    "Invalid value",
    "Expected newline or end of document after a statement",
    "Unclosed inline table",
    "Unclosed array",
)
"""What tomllib says where it meets an unquoted string, or has read a number off its front."""


def explained(file: Path, text: str, complaint: str) -> ConfigError:
    """With the line, and a hint for the usual slips."""
    message = _PLACE.sub("", complaint)
    place = _PLACE.search(complaint)
    if place is None:
        return _error(file, 1, message)
    lines = text.rstrip("\n").split("\n")
    line = int(place[1] or len(lines))
    where = "".join(lines[line - 1 : line])
    column = int(place[2] or len(where) + 1)
    return _error(file, line, _reworded(message, where), _hint(message, where, column - 1))


def _error(file: Path, line: int, message: str, hint: str | None = None) -> ConfigError:
    detail = f"{file}:{line}: {message[:200]}" + (f" ({hint})" if hint else "")
    return ConfigError(f"{file.name} is not valid TOML", details=[detail])


def _reworded(message: str, line: str) -> str:
    """A key that comes twice, by its name."""
    if twice := _TWICE.fullmatch(message):
        import ast

        return f"{dotted(ast.literal_eval(twice[1]))} is declared twice"
    if message != "Cannot overwrite a value":
        return message
    statement = _STATEMENT.match(line)
    return f"{statement[1] if statement else 'a key'} is declared twice"


def _hint(message: str, line: str, at: int) -> str | None:
    if message in _AFTER_VALUE:
        words = [match[1] for match in _BARE_WORD.finditer(line) if match.start(1) <= at < match.end(1)]
        if words:
            return "write true or false" if words[0].lower() in ("true", "false") else "strings need quotes"
    if message == "Invalid initial character for a key part" and line[at:].strip() in ("", "}"):
        return "a table in braces stays on one line, without a comma at its end"
    return None
