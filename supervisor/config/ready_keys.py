"""The keys of a ready table and what they make."""

from __future__ import annotations

import re
import warnings
from typing import Any

from supervisor import durations
from supervisor.config.commands import ARGV
from supervisor.config.fields import Field, FieldError, Key, Keys, Type, has_unknown, read_table
from supervisor.config.model import Ready, ReadyKind
from supervisor.config.value_types import TEXT, duration, text

_PATH = r"/[\x21-\x7e]*"
_HTTP_PATH = re.compile(_PATH)


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


def time_to_start(field: Field) -> float:
    seconds = duration(field)
    if seconds == 0:
        raise FieldError("leaves no time to become ready", "give it some seconds")
    return seconds


_TRUE = Type(only_true, "`true`", {"const": True})

READY: Keys = {
    "http": Key(
        Type(http_path, "path", {"type": "string", "pattern": f"^{_PATH}$"}),
        "ready when a GET of it on the main port answers 2xx or 3xx",
        otherwise="–",
    ),
    "tcp": Key(
        _TRUE,
        "ready when the main port accepts a connection; not with [`socket = true`](#socket)",
        otherwise="–",
    ),
    "log": Key(
        Type(pattern, "regular expression", TEXT.schema),
        "ready when it is found in a line of the output; no `${…}` in it",
        otherwise="–",
    ),
    "exec": Key(
        ARGV,
        "ready when this command exits 0. It runs where and as the service does, again and again; never in a "
        "shell",
        otherwise="–",
    ),
    "notify": Key(
        _TRUE,
        "ready when the service sends `READY=1` to `$NOTIFY_SOCKET`, as with systemd",
        otherwise="–",
    ),
    "timeout": Key(
        Type(
            time_to_start,
            "duration",
            {"type": ["string", "number"], "pattern": durations.LONGER_THAN_ZERO, "exclusiveMinimum": 0},
        ),
        "if it isn't ready by then it has failed: it is stopped, and `restart` decides",
        "30s",
    ),
}

CHECKS = [key for key in READY if key != "timeout"]


def ready(field: Field) -> Ready:
    values = read_table(field, READY)
    if has_unknown(field, READY):
        return Ready()
    checks = [key for key in CHECKS if key in field.value]
    if len(checks) != 1:
        raise FieldError("needs exactly one of http, tcp, log, exec and notify")
    if checks[0] not in values:
        return Ready()
    given = {"path": "http", "pattern": "log", "command": "exec", "timeout": "timeout"}
    known: dict[str, Any] = {name: values[key] for name, key in given.items() if key in values}
    return Ready(kind=ReadyKind(checks[0]), **known)


READY_TABLE = Type(
    ready, "[table](#ready)", {"oneOf": [{"required": [check]} for check in CHECKS]}, keys=READY
)
