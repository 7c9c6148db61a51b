"""One value of a TOML file where it stands, and what describes the keys of a table.

A reader takes a Field and gives what the model wants, or raises FieldError. A mapping of name → Key
describes a TOML table: `read_table` applies its readers and collects what is wrong; the JSON Schema and
the tables of the documentation are made of the rest (see schema.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from supervisor.config.lines import KeyPath
from supervisor.config.problems import Problems, suggestion


class FieldError(Exception):
    """A value that can't be what its key needs, and what would be right."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Field(NamedTuple):
    """A value where it stands. The values of a table are raw, or Fields after a merge."""

    value: Any
    path: KeyPath
    problems: Problems

    def wrong(self, message: str, hint: str | None = None) -> None:
        self.problems.error(self.path, message, hint)

    def doubt(self, message: str, hint: str | None = None) -> None:
        self.problems.warn(self.path, message, hint)

    def table(self) -> dict[str, Field]:
        """Its entries. Raises FieldError if it isn't a table."""
        if not isinstance(self.value, dict):
            raise FieldError(f"must be a table, not {kind(self.value)}")
        return {key: self._entry(key, value) for key, value in self.value.items()}

    def _entry(self, key: str, value: Any) -> Field:
        return value if isinstance(value, Field) else Field(value, (*self.path, key), self.problems)

    def entries(self) -> dict[str, Field]:
        """Its entries; none if it isn't a table, which is reported."""
        try:
            return self.table()
        except FieldError as error:
            self.wrong(error.message, error.hint)
            return {}

    def at(self, *keys: str) -> Field:
        """The field below at `keys`, or the last one on the way there that exists."""
        found = self
        for key in keys:
            if not found.has(key):
                break
            found = found.table()[key]
        return found

    def has(self, key: str) -> bool:
        return isinstance(self.value, dict) and key in self.value


Reader = Callable[[Field], Any]

Schema = Mapping[str, Any]
"""A JSON Schema, or some of its keywords."""


class Type(NamedTuple):
    """What a value may be: to the loader, in words, and to an editor."""

    read: Reader
    words: str
    """In the documentation; Markdown."""
    schema: Schema
    keys: Mapping[str, Key] = MappingProxyType({})
    """Of a table with keys that are known."""
    each: Type | None = None
    """Of a table whose keys are names: what stands under each of them."""


class Key(NamedTuple):
    """One key of a table. The loader's keys, the schema and the documentation all come from these."""

    type: Type
    meaning: str
    """Markdown; links lead into docs/services.md."""
    default: Any = None
    """What holds where it is left out, as TOML would write it, if it can be written."""
    otherwise: str = "none"
    """The same in words, where there is no such value."""


Keys = Mapping[str, Key]


def read_table(field: Field, keys: Keys, slips: Mapping[str, str] = MappingProxyType({})) -> dict[str, Any]:
    """What a table says, by key. A wrong value is reported and left out.

    `slips` are hints for some of the keys that there aren't. Raises FieldError if it isn't a table.
    """
    result: dict[str, Any] = {}
    for key, entry in field.table().items():
        if key not in keys:
            entry.wrong("unknown key", slips.get(key) or suggestion(key, keys))
            continue
        value = attempt(entry, keys[key].type.read)
        if value is not None:
            result[key] = value
    return result


def has_unknown(field: Field, keys: Keys) -> bool:
    """A misspelt key was reported; that the right one is missing then goes without saying."""
    return not field.table().keys() <= keys.keys()


def attempt(field: Field, reader: Reader) -> Any:
    """What the reader makes of the field; None if it is wrong, which is reported."""
    try:
        return reader(field)
    except FieldError as error:
        field.wrong(error.message, error.hint)
        return None


def kind(value: object) -> str:
    """A value's TOML type in words. Its content may be a secret and isn't shown."""
    names = {bool: "a boolean", int: "an integer", float: "a float", str: "a string", list: "an array"}
    names |= {dict: "a table"}
    return names.get(type(value), "a date or time")
