"""The files that stack.env_files names."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from supervisor.config.fields import Field
from supervisor.config.model import Problem
from supervisor.config.problems import dotted
from supervisor.errors import NO_DESCRIPTORS

if TYPE_CHECKING:
    from dotenv.parser import Original


def read_env_files(field: Field, names: Iterable[str], folder: Path) -> dict[str, str]:
    """All files' variables, later files over earlier ones; what can't be read is reported."""
    result: dict[str, str] = {}
    for name in names:
        path = folder / name
        try:
            result |= _parse(field, path, path.read_bytes().decode("utf-8-sig"))
        except OSError as error:
            if error.errno in NO_DESCRIPTORS:
                raise  # no fault of the file
            reason = (error.strerror or str(error)).lower()
            field.wrong(f"cannot read {path}: {reason}", "the path is relative to services.toml's folder")
        except UnicodeDecodeError:
            field.wrong(f"cannot read {path}: it is not UTF-8")
    return result


def _parse(field: Field, path: Path, text: str) -> dict[str, str]:
    """dotenv_values does the same, but logs a line that it can't read and goes on.

    A name without a value, which dotenv allows and leaves out, is such a line here. It would count \r\n
    as two lines behind one that is wrong: it gets \n, as from a file that is opened as text.
    """
    from dotenv.parser import parse_stream

    result: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text, newline=None)):
        key, value = binding.key, binding.value
        if key is None and not binding.error:
            continue  # a comment, or an empty line
        if key is None or value is None or "=" in key or "\0" in key + value:
            line = _line(binding.original)
            field.problems.add(
                Problem(path, line, dotted(field.path), "is not a line of the form NAME=value")
            )
        else:
            result[key] = value
    return result


def _line(original: Original) -> int:
    """dotenv counts the empty lines before a line as a part of it."""
    text = original.string
    return int(original.line) + text[: len(text) - len(text.lstrip())].count("\n")
