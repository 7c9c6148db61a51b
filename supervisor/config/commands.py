"""Readers of command lines."""

from __future__ import annotations

import shlex

from supervisor.config.fields import Field, FieldError, Schema, Type, kind
from supervisor.config.value_types import TEXT, text, words


def command(field: Field) -> str | tuple[str, ...]:
    """A string that isn't split yet, or a list as it is."""
    if isinstance(field.value, list):
        argv = words(field)
        if not argv or not argv[0]:
            raise FieldError("is empty", "name a program")
        return argv
    if not isinstance(field.value, str):
        raise FieldError(f"must be a string or an array of strings, not {kind(field.value)}")
    if not field.value.strip():
        raise FieldError("is empty", "name a program")
    return text(field)


def split(line: str) -> tuple[str, ...]:
    """Words as a shell splits them. Raises FieldError if it can't be split or names no program."""
    try:
        argv = tuple(shlex.split(line))
    except ValueError as error:
        raise FieldError(f"cannot be split into words: {str(error).lower()}") from error
    if not argv or not argv[0]:
        raise FieldError("is empty", "name a program")
    return argv


def argv(field: Field) -> tuple[str, ...]:
    line = command(field)
    return split(line) if isinstance(line, str) else line


_SCHEMA: Schema = {
    "type": ["string", "array"],
    "pattern": r"^[^\x00]*[^\s\x00][^\x00]*$",
    "minItems": 1,
    "prefixItems": [{**TEXT.schema, "minLength": 1}],
    "items": TEXT.schema,
}

COMMAND = Type(command, "string or array of strings", _SCHEMA)
ARGV = Type(argv, "string or array, as `command`", _SCHEMA)
