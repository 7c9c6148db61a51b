"""The keys of services.toml as data: for each table, key → reader."""

from __future__ import annotations

import re
from collections.abc import Mapping

from supervisor.config import variables
from supervisor.config.commands import command
from supervisor.config.fields import (
    Field,
    FieldError,
    Reader,
    attempt,
    boolean,
    choice,
    duration,
    integer,
    kind,
    read_table,
    signal_number,
    text,
    variable,
    words,
)
from supervisor.config.model import Backoff, OnLost, Restart, ShieldMode, Stop, StopMode
from supervisor.config.pool_keys import HIGHEST_PORT, main_pool, pools, port
from supervisor.config.ready_keys import ready

_STACK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def stack_name(field: Field) -> str:
    name = text(field)
    if not _STACK_NAME.fullmatch(name):
        raise FieldError(
            "is not a stack's name", "use letters, digits, ., - and _, at most 64, no . at the front"
        )
    return name


def factor(field: Field) -> float:
    value = field.value
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise FieldError(f"must be a number, not {kind(value)}")
    if not 1 <= value <= 1000:
        raise FieldError("must be between 1 and 1000")
    return float(value)


def folder(field: Field) -> str:
    path = text(field)
    if "${" in path:
        raise FieldError("${…} isn't filled in here", "write the path itself")
    return path


def env(field: Field) -> dict[str, str]:
    """Every variable that is right; the wrong ones are reported."""
    read = {key: attempt(entry, _env_value) for key, entry in field.table().items()}
    return {key: value for key, value in read.items() if value is not None}


def _env_value(field: Field) -> str:
    if not variables.is_name(field.path[-1]):
        raise FieldError("is not a variable's name", variables.FORM)
    if isinstance(field.value, int | float) and not isinstance(field.value, bool):
        return _digits(field.value)
    if not isinstance(field.value, str):
        raise FieldError(f"must be a string or a number, not {kind(field.value)}", "put it in quotes")
    return text(field)


def _digits(value: int | float) -> str:
    try:
        return str(value)
    except ValueError:  # a hexadecimal integer may be longer than Python turns into decimal digits
        raise FieldError("is too long a number", "put it in quotes") from None


BACKOFF: Mapping[str, Reader] = {
    "initial": duration,
    "max": duration,
    "factor": factor,
    "limit": integer(0, 1_000_000),
    "reset": duration,
}


def backoff(field: Field) -> Backoff:
    result = Backoff(**read_table(field, BACKOFF))
    if result.initial > result.max:
        raise FieldError("initial is longer than max", f"max is {result.max:g}s")
    return result


STOP: Mapping[str, Reader] = {"signal": signal_number, "timeout": duration, "mode": choice(StopMode)}


def stop(field: Field) -> Stop:
    return Stop(**read_table(field, STOP))


SERVICE: Mapping[str, Reader] = {
    "command": command,
    "shell": boolean,
    "cwd": folder,
    "env": env,
    "pool": main_pool,
    "pools": pools,
    "port_env": variable,
    "depends_on": words,
    "ready": ready,
    "restart": choice(Restart),
    "backoff": backoff,
    "stop": stop,
    "shield": choice(ShieldMode),
    "socket": boolean,
    "on_lost": choice(OnLost),
}

SERVICE_SLIPS = dict.fromkeys(
    ("port", "ports"),
    "write pool = { ports = [8000] }, or { offset = 0, size = 3 } where each instance has its own",
)
"""Keys that one could think a service has → what to write instead."""

STACK: Mapping[str, Reader] = {
    "name": stack_name,
    "base_port": port,
    "stride": integer(1, HIGHEST_PORT),
    "env_files": words,
}

DOCUMENT = ("stack", "defaults", "services")
"""The tables of the file itself."""
