"""The keys of services.toml: the one table that its loader, its schema and its documentation come from."""

from __future__ import annotations

import re

from supervisor.config import variables
from supervisor.config.commands import COMMAND
from supervisor.config.fields import Field, FieldError, Key, Keys, Type, attempt, kind, read_table
from supervisor.config.model import Backoff, LogLimits, OnLost, Restart, ShieldMode, Stop, StopMode
from supervisor.config.pool_keys import HIGHEST_PORT, MAIN_POOL_TABLE, POOLS, PORT, PORT_ENV
from supervisor.config.ready_keys import READY_TABLE
from supervisor.config.value_types import (
    BOOLEAN,
    DURATION,
    NO_NUL,
    SIGNAL,
    VARIABLE,
    WORDS,
    choice,
    integer,
    size,
    text,
    words,
)

_NAME_OF_STACK = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_STACK_NAME = re.compile(_NAME_OF_STACK)


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


BACKOFF: Keys = {
    "initial": Key(DURATION, "the first wait", "500ms"),
    "max": Key(DURATION, "the longest wait", "30s"),
    "factor": Key(
        Type(factor, "1 to 1000", {"type": "number", "minimum": 1, "maximum": 1000}),
        "each wait is this many times the last one",
        2,
    ),
    "limit": Key(integer(0, 1_000_000), "after so many restarts in a row it is given up: `FATAL`", 5),
    "reset": Key(DURATION, "one that ran for so long starts the count anew", "60s"),
}


def backoff(field: Field) -> Backoff:
    result = Backoff(**read_table(field, BACKOFF))
    if result.initial > result.max:
        raise FieldError("initial is longer than max", f"max is {result.max:g}s")
    return result


STOP: Keys = {
    "signal": Key(SIGNAL, '`"TERM"`, `"SIGTERM"` or 15', "TERM"),
    "timeout": Key(DURATION, "from the signal to SIGKILL", "5s"),
    "mode": Key(
        choice(StopMode),
        "whom it ends: all descendants; the process group; or the first process alone, which then gets the "
        "signal alone. Who isn't meant lives on, but nobody reads its output any more: lead that to a file",
        "tree",
    ),
}


def stop(field: Field) -> Stop:
    return Stop(**read_table(field, STOP))


LOG: Keys = {
    "max_size": Key(
        size("64KB", "1000GB"),
        "a file that would be longer is set aside at a line's end; only a longer line makes a longer file",
        "10MB",
    ),
    "files": Key(
        integer(1, 100),
        "how many there are in all: the one that is written to, then `.1`, `.2` and so on; the oldest goes. "
        "With 1 the one begins anew",
        3,
    ),
}


def log(field: Field) -> LogLimits:
    return LogLimits(**read_table(field, LOG))


def globs(field: Field) -> tuple[str, ...]:
    """What `config/globs.py` takes, which is loaded only where files are watched."""
    patterns = words(field)
    for pattern in patterns:
        if pattern.startswith("/"):
            raise FieldError("is not below the service's folder", "globs are relative to cwd")
        if any(part in ("", ".", "..") for part in pattern.split("/")):
            raise FieldError(
                'has a part that is empty, "." or ".."', 'write it like "src/**/*.py", relative to cwd'
            )
    return patterns


GLOB = r"^(?!/)(?!(.*/)?\.{1,2}(/|$))(?!.*//)(?!.*/$)[^\x00]+$"
"""What `globs` takes, for editors."""

GLOBS = Type(
    globs,
    "array of [globs](#watch)",
    {"type": "array", "items": {"type": "string", "pattern": GLOB}},
)

_ENV = Type(
    env,
    "table of strings or numbers",
    {
        "type": "object",
        "propertyNames": {"pattern": f"^(?!{variables.PREFIX}){variables.NAME}$"},
        "additionalProperties": {"type": ["string", "number"], "pattern": NO_NUL},
    },
)
_FOLDER = Type(folder, "string", {"type": "string", "pattern": r"^([^$\x00]|\$(?!\{))*$"})

SERVICE: Keys = {
    "command": Key(
        COMMAND,
        "what to run. A string is split into words as a shell would, an array is taken as it is. A program "
        "with a slash in its name is relative to `cwd`, else `PATH` is searched",
        otherwise="required",
    ),
    "shell": Key(
        BOOLEAN,
        "hand the string to `/bin/sh -c`. **Without it no shell runs**: `&&`, `|`, `>` and `$PORT` are words "
        "like any other",
        False,
    ),
    "cwd": Key(_FOLDER, "the folder to run in, relative to `services.toml`; no `${…}` and no `~`", "."),
    "env": Key(_ENV, "further variables; they win over all others"),
    "pool": Key(
        MAIN_POOL_TABLE,
        "where the main port comes from. Without any pool a service is a worker and has no port",
    ),
    "port_env": Key(VARIABLE, "carries the main port", PORT_ENV),
    "pools": Key(POOLS, "further ports, each from a pool with a name"),
    "depends_on": Key(
        WORDS._replace(words="array of services"), "start when all of these are [ready](#ready)"
    ),
    "ready": Key(READY_TABLE, "when the service counts as ready"),
    "restart": Key(choice(Restart), "start it again when it [ends](#restart-and-backoff)", "on-failure"),
    "backoff": Key(
        Type(backoff, "[table](#restart-and-backoff)", {}, keys=BACKOFF),
        "waits between restarts",
        otherwise="see there",
    ),
    "stop": Key(Type(stop, "[table](#stop)", {}, keys=STOP), "how it is stopped", otherwise="see there"),
    "shield": Key(choice(ShieldMode), "what is [watched](#shield-and-on_lost) on its ports", "tree"),
    "on_lost": Key(choice(OnLost), "what follows when a [shield](#shield-and-on_lost) is lost", "stop"),
    "socket": Key(
        BOOLEAN, "portsup listens on the main port itself and [hands the socket down](#socket)", False
    ),
    "log": Key(
        Type(log, "[table](#log)", {}, keys=LOG), "how much of its output is kept", otherwise="see there"
    ),
    "watch": Key(GLOBS, "restart it when one of these files [changes](#watch)"),
    "tty": Key(
        BOOLEAN,
        "it runs on a [terminal of its own](#tty): it prints colours, and `portsup attach` gives it the "
        "keyboard",
        False,
    ),
}

SERVICE_SLIPS = dict.fromkeys(
    ("port", "ports"),
    "write pool = { ports = [8000] }, or { offset = 0, size = 3 } where each instance has its own",
)
"""Keys that one could think a service has → what to write instead."""

STACK: Keys = {
    "name": Key(
        Type(stack_name, "string", {"type": "string", "pattern": f"^{_NAME_OF_STACK}$"}),
        "what messages, `portsup ps` and `${stack}` call the stack: letters, digits, `.`, `-`, `_`, 64 at "
        "most",
        otherwise="the folder's name",
    ),
    "base_port": Key(PORT, "instance n counts its relative pools from `base_port + (n-1)·stride`", 6000),
    "stride": Key(
        integer(1, HIGHEST_PORT),
        "from one instance to the next; every relative pool must fit into it",
        100,
    ),
    "env_files": Key(
        WORDS,
        "files of `NAME=value` lines, relative to `services.toml`; later files win. `export`, quotes and "
        "comments are understood, dollars are not expanded. A file that is missing is an error",
    ),
}

DOCUMENT = ("stack", "defaults", "services")
"""The tables of the file itself."""
