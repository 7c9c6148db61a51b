"""Everything that is wrong or doubtful in one services.toml, each with its line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from supervisor.config.lines import KeyPath, Lines
from supervisor.config.model import Place, Problem
from supervisor.errors import ConfigError

_BARE = re.compile(r"[A-Za-z0-9_-]+")


class Problems:
    """Collects, so that all errors of a file are shown at once."""

    def __init__(self, file: Path, lines: Lines) -> None:
        self._file = file
        self._lines = lines
        self._errors: list[Problem] = []
        self._warnings: list[Problem] = []

    def error(self, path: KeyPath, message: str, hint: str | None = None) -> None:
        self.add(self._problem(path, message, hint))

    def warn(self, path: KeyPath, message: str, hint: str | None = None) -> None:
        self._warnings.append(self._problem(path, message, hint))

    def add(self, error: Problem) -> None:
        """An error in another file that this one names."""
        self._errors.append(error)

    def blames(self, path: KeyPath) -> bool:
        """Is there an error at or below `path`? What builds upon it would only be wrong as well."""
        prefix = dotted(path)
        return any(error.key == prefix or error.key.startswith(f"{prefix}.") for error in self._errors)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return tuple(self._in_order(self._warnings))

    def raise_errors(self) -> None:
        """Raises ConfigError with a detail line for each error, if there is one."""
        errors = self._in_order(self._errors)
        if errors:
            count = f"{len(errors)} errors" if len(errors) > 1 else "an error"
            raise ConfigError(f"{self._file.name} has {count}", details=[str(error) for error in errors])

    def place(self, path: KeyPath) -> Place:
        return Place(self._lines.of(path), dotted(path))

    def _problem(self, path: KeyPath, message: str, hint: str | None) -> Problem:
        place = self.place(path)
        return Problem(self._file, place.line, place.key, message, hint)

    def _in_order(self, problems: list[Problem]) -> list[Problem]:
        """By line, this file first; what [defaults] says wrongly was found once for each service."""
        return sorted(dict.fromkeys(problems), key=lambda problem: (problem.file != self._file, problem.line))


def dotted(path: KeyPath) -> str:
    """A key as one would write it: services."a.b".env"""
    return ".".join(part if _BARE.fullmatch(part) else _quoted(part) for part in path)


def _quoted(part: str) -> str:
    import json

    return json.dumps(part, ensure_ascii=False)


def either(words: Iterable[object]) -> str:
    """`"a", "b" or "c"`"""
    quoted = [f'"{word}"' for word in words]
    return " or ".join(filter(None, [", ".join(quoted[:-1]), *quoted[-1:]]))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The one of `known` that `word` was probably meant to be."""
    from difflib import get_close_matches

    found = get_close_matches(word[:100], list(known), n=1)
    return found[0] if found else None


def suggestion(word: str, known: Iterable[str]) -> str | None:
    """A hint for a name that isn't among `known`: the nearest one, else all of them."""
    names = list(known)
    found = nearest(word, names)
    if found:
        return f'did you mean "{found}"?'
    return f"there are {', '.join(names)}" if names else None
