"""The keys of a ready table and what they make."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from typing import Any

from supervisor.config.commands import argv
from supervisor.config.fields import Field, FieldError, Reader, duration, has_unknown, read_table, text
from supervisor.config.model import Ready, ReadyKind

_HTTP_PATH = re.compile(r"/[\x21-\x7e]*")


def http_path(field: Field) -> str:
    path = text(field)
    if not _HTTP_PATH.fullmatch(path):
        raise FieldError("is not a path", 'write "/health"; the host is portsup\'s, other characters as %20')
    return path


def only_true(field: Field) -> bool:
    if field.value is not True:
        raise FieldError("can only be true", "leave the key out instead")
    return True


def pattern(field: Field) -> str:
    expression = text(field)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(expression)
    except (re.error, ValueError, OverflowError, RecursionError) as error:  # ValueError: flags that clash
        raise FieldError(f"is not a regular expression: {error}") from error
    return expression


READY: Mapping[str, Reader] = {
    "http": http_path,
    "tcp": only_true,
    "log": pattern,
    "exec": argv,
    "notify": only_true,
    "timeout": duration,
}


def ready(field: Field) -> Ready:
    values = read_table(field, READY)
    if has_unknown(field, READY):
        return Ready()
    checks = [key for key in READY if key in field.value and key != "timeout"]
    if len(checks) != 1:
        raise FieldError("needs exactly one of http, tcp, log, exec and notify")
    if checks[0] not in values:
        return Ready()
    if values.get("timeout") == 0:
        field.at("timeout").wrong("leaves no time to become ready", "give it some seconds")
    given = {"path": "http", "pattern": "log", "command": "exec", "timeout": "timeout"}
    known: dict[str, Any] = {name: values[key] for name, key in given.items() if key in values}
    return Ready(kind=ReadyKind(checks[0]), **known)
