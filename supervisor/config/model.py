"""The recipe: what services.toml says, checked and frozen. All durations are seconds."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

MAIN_POOL = "port"
"""The name of the pool that the key `pool` gives."""


class Restart(StrEnum):
    NO = "no"
    ON_FAILURE = "on-failure"
    ALWAYS = "always"


class StopMode(StrEnum):
    """Whom a stop ends: the whole tree, the child's process group, or the child alone."""

    TREE = "tree"
    GROUP = "group"
    PROCESS = "process"


class ShieldMode(StrEnum):
    """What a shield watches: the lock and who listens, the lock alone, or nothing."""

    TREE = "tree"
    LOCK = "lock"
    OFF = "off"


class OnLost(StrEnum):
    STOP = "stop"
    ROTATE = "rotate"


class ReadyKind(StrEnum):
    SPAWNED = "spawned"
    """No `ready` key: ready as soon as it runs."""
    HTTP = "http"
    TCP = "tcp"
    LOG = "log"
    EXEC = "exec"
    NOTIFY = "notify"


class Place(NamedTuple):
    """Where services.toml says something."""

    line: int = 1
    key: str = ""


def _same_pool(pool: Pool, other: object) -> bool:
    """Wherever the file says it."""
    return type(other) is type(pool) and pool[:-1] == other[:-1]


class RelativePool(NamedTuple):
    """Ports counted from the instance's base port: base+offset … base+offset+size-1."""

    name: str
    env: str
    offset: int
    size: int
    place: Place = Place()

    def __eq__(self, other: object) -> bool:
        return _same_pool(self, other)

    def __hash__(self) -> int:
        return hash(self[:-1])


class SharedPool(NamedTuple):
    """The same ports for every instance on the machine, first come, first served."""

    name: str
    env: str
    ports: tuple[int, ...]
    place: Place = Place()

    def __eq__(self, other: object) -> bool:
        return _same_pool(self, other)

    def __hash__(self) -> int:
        return hash(self[:-1])


Pool = RelativePool | SharedPool


class Ready(NamedTuple):
    """When a child counts as ready.

    `path` is HTTP's, `pattern` is LOG's regular expression, `command` is EXEC's argv. HTTP and TCP
    ask the main pool's port.
    """

    kind: ReadyKind = ReadyKind.SPAWNED
    path: str = "/"
    pattern: str = ""
    command: tuple[str, ...] = ()
    timeout: float = 30.0


class Backoff(NamedTuple):
    """Waits between restarts: initial, then times factor up to max; FATAL after `limit` in a row.

    A child that ran for `reset` seconds starts the count anew.
    """

    initial: float = 0.5
    max: float = 30.0
    factor: float = 2.0
    limit: int = 5
    reset: float = 60.0


class Stop(NamedTuple):
    signal: int = 15
    timeout: float = 5.0
    mode: StopMode = StopMode.TREE


class LogLimits(NamedTuple):
    """How much of a service's output is kept: so many files at most, each of so many bytes."""

    max_size: int = 10_000_000
    files: int = 3


class Service(NamedTuple):
    """One service of the stack. Strings in `command`, `env` and `ready` still hold `${…}`."""

    name: str
    command: tuple[str, ...]
    """argv; with `shell`, one string for /bin/sh -c."""
    shell: bool = False
    cwd: Path = Path()
    """Absolute."""
    env: Mapping[str, str] = MappingProxyType({})
    pools: tuple[Pool, ...] = ()
    """The main pool first, if there is one. None at all: a worker without a port."""
    depends_on: tuple[str, ...] = ()
    ready: Ready = Ready()
    restart: Restart = Restart.ON_FAILURE
    backoff: Backoff = Backoff()
    stop: Stop = Stop()
    shield: ShieldMode = ShieldMode.TREE
    socket: bool = False
    tty: bool = False
    on_lost: OnLost = OnLost.STOP
    log: LogLimits = LogLimits()
    watch: tuple[str, ...] = ()
    """Globs of files, relative to `cwd`: see config/globs.py."""


class Problem(NamedTuple):
    """An error or a warning about one place in a file. `hint` says what would be right."""

    file: Path
    line: int
    key: str
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        return f"{self.file.parent}/{self.brief}"

    @property
    def brief(self) -> str:
        """Without the folder."""
        text = f"{self.file.name}:{self.line}: {self.key}: {self.message}"
        return f"{text} ({self.hint})" if self.hint else text


class Config(NamedTuple):
    path: Path
    """Absolute path of services.toml."""
    stack: str
    base_port: int
    stride: int
    env: Mapping[str, str]
    """What the env files say, later files over earlier ones; a service's own env wins over it."""
    services: tuple[Service, ...]
    """In the file's order."""
    ephemeral: range = range(0)
    """The ports that the kernel gave to outgoing connections when the file was read."""
    warnings: tuple[Problem, ...] = ()
    """All but those about ports, which are an instance's: see Plan.warnings."""
