"""The files that stack.env_files names."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

from supervisor.config import variables
from supervisor.config.fields import Field
from supervisor.config.model import Problem
from supervisor.config.problems import dotted


def read_env_files(field: Field, names: Iterable[str], folder: Path) -> dict[str, str]:
    """All files' variables, later files over earlier ones; what can't be read is reported."""
    result: dict[str, str] = {}
    for name in names:
        path = folder / name
        try:
            result |= _parse(field, path, path.read_bytes().decode("utf-8-sig"))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            field.wrong(f"cannot read {path}: {reason}", "the path is relative to services.toml's folder")
        except UnicodeDecodeError:
            field.wrong(f"cannot read {path}: it is not UTF-8")
    return result


def _parse(field: Field, path: Path, text: str) -> dict[str, str]:
    """dotenv_values does the same, but logs a line that it can't read and goes on."""
    from dotenv.parser import parse_stream

    result: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text)):
        key, value, line = binding.key, binding.value, binding.original.line
        if binding.error or (key is not None and (variables.wrong_name(key) or "\0" in (value or ""))):
            field.problems.add(
                Problem(path, line, dotted(field.path), "is not a line of the form NAME=value")
            )
        elif key is not None and value is not None:
            result[key] = value
    return result
