"""One value of a TOML file with its key, and the readers that judge such a value.

A reader takes a Field and gives what the model wants, or raises FieldError. A table of key → reader
describes a TOML table; `read_table` applies it and collects what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from supervisor.config import durations, signals, variables
from supervisor.config.lines import KeyPath
from supervisor.config.problems import Problems, either, nearest, suggestion

Choice = TypeVar("Choice", bound=StrEnum)


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


def read_table(
    field: Field, readers: Mapping[str, Reader], slips: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Any]:
    """What a table says, by key. A wrong value is reported and left out.

    `slips` are hints for some of the keys that there aren't. Raises FieldError if it isn't a table.
    """
    result: dict[str, Any] = {}
    for key, entry in field.table().items():
        if key not in readers:
            entry.wrong("unknown key", slips.get(key) or suggestion(key, readers))
            continue
        value = attempt(entry, readers[key])
        if value is not None:
            result[key] = value
    return result


def has_unknown(field: Field, readers: Mapping[str, Reader]) -> bool:
    """A misspelt key was reported; that the right one is missing then goes without saying."""
    return not field.table().keys() <= readers.keys()


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


def text(field: Field) -> str:
    value = field.value
    if not isinstance(value, str):
        raise FieldError(f"must be a string, not {kind(value)}")
    if "\0" in value:
        raise FieldError("contains a NUL character")
    return value


def words(field: Field) -> tuple[str, ...]:
    if not isinstance(field.value, list):
        raise FieldError(f"must be an array of strings, not {kind(field.value)}", 'write ["…"]')
    return tuple(text(Field(value, field.path, field.problems)) for value in field.value)


def boolean(field: Field) -> bool:
    if not isinstance(field.value, bool):
        raise FieldError(f"must be true or false, not {kind(field.value)}")
    return field.value


def integer(low: int, high: int) -> Reader:
    """A reader for whole numbers from `low` to `high`."""

    def read(field: Field) -> int:
        if not isinstance(field.value, int) or isinstance(field.value, bool):
            raise FieldError(f"must be an integer, not {kind(field.value)}")
        if not low <= field.value <= high:
            raise FieldError(f"must be between {low} and {high}")
        return field.value

    return read


def choice(values: type[Choice]) -> Reader:
    """A reader for one of an enumeration's values."""

    def read(field: Field) -> Choice:
        if field.value not in list(values):
            near = nearest(str(field.value), values) if isinstance(field.value, str) else None
            raise FieldError(f"must be {either(values)}", near and f'did you mean "{near}"?')
        return values(field.value)

    return read


def duration(field: Field) -> float:
    try:
        return durations.seconds(field.value)
    except ValueError as error:
        raise FieldError(str(error), durations.FORM) from error


def signal_number(field: Field) -> int:
    try:
        return signals.number(field.value)
    except ValueError as error:
        raise FieldError(str(error), signals.FORM) from error


def variable(field: Field) -> str:
    """The name of an environment variable that carries a port."""
    name = text(field)
    if not variables.is_name(name):
        raise FieldError("is not a variable's name", variables.FORM)
    if variables.is_own(name):
        raise FieldError(f"{name} is a variable of portsup's own", "name another one")
    return name
