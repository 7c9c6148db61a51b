"""The types that keys of any table have: the reader of each, and what JSON Schema says of it."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from supervisor import durations
from supervisor.config import signals, sizes, variables
from supervisor.config.fields import Field, FieldError, Type, kind
from supervisor.config.problems import either, nearest

Choice = TypeVar("Choice", bound=StrEnum)


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


def integer(low: int, high: int) -> Type:
    """Whole numbers from `low` to `high`."""

    def read(field: Field) -> int:
        if not isinstance(field.value, int) or isinstance(field.value, bool):
            raise FieldError(f"must be an integer, not {kind(field.value)}")
        if not low <= field.value <= high:
            raise FieldError(f"must be between {low} and {high}")
        return field.value

    return Type(read, f"{low} to {high}", {"type": "integer", "minimum": low, "maximum": high})


def choice(values: type[Choice]) -> Type:
    """One of an enumeration's values."""

    def read(field: Field) -> Choice:
        if field.value not in list(values):
            near = nearest(str(field.value), values) if isinstance(field.value, str) else None
            raise FieldError(f"must be {either(values)}", near and f'did you mean "{near}"?')
        return values(field.value)

    return Type(read, ", ".join(f'`"{value}"`' for value in values), {"enum": [*map(str, values)]})


def duration(field: Field) -> float:
    try:
        return durations.seconds(field.value)
    except ValueError as error:
        raise FieldError(str(error), durations.FORM) from error


def size(low: str, high: str) -> Type:
    """Bytes from `low` to `high`, both as services.toml writes them."""
    least, most = sizes.size(low), sizes.size(high)

    def read(field: Field) -> int:
        try:
            value = sizes.size(field.value)
        except ValueError as error:
            raise FieldError(str(error), sizes.FORM) from error
        if not least <= value <= most:
            raise FieldError(f"must be between {low} and {high}")
        return value

    schema = {"type": ["string", "integer"], "pattern": sizes.PATTERN, "minimum": least, "maximum": most}
    return Type(read, f'size, `"{low}"` to `"{high}"`', schema)


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


NO_NUL = r"^[^\x00]*$"
"""JSON's patterns are found anywhere in a string: `^` and `$` make them hold for all of it."""

TEXT = Type(text, "string", {"type": "string", "pattern": NO_NUL})
WORDS = Type(words, "array of strings", {"type": "array", "items": TEXT.schema})
BOOLEAN = Type(boolean, "boolean", {"type": "boolean"})
DURATION = Type(
    duration,
    "duration",
    {"type": ["string", "number"], "pattern": durations.PATTERN, "minimum": 0},
)
SIGNAL = Type(signal_number, "name or number", {"enum": [*signals.names(), *signals.numbers()]})
VARIABLE = Type(
    variable,
    "name of a variable",
    {"type": "string", "pattern": rf"^(?!{variables.HOST}$|{variables.PREFIX}){variables.NAME}$"},
)
