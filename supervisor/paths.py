"""Where portsup keeps things. Leaf; creates nothing."""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping
from pathlib import Path

from supervisor.errors import PortsupError, UsageError

LOCK_FOLDER = Path("/tmp/portsup-ports")
"""Not under TMPDIR: all users of the machine must meet in one folder."""

SOCKET_PATH_MAX = 107
"""Bytes that fit into sockaddr_un.sun_path beside its NUL (unix(7))."""


def lock_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The machine-wide folder of lock files; PORTSUP_LOCK_DIR names another.

    Raises UsageError for a relative one: each working folder would have locks of its own.
    """
    named = environ.get("PORTSUP_LOCK_DIR")
    if named and not os.path.isabs(named):  # noqa: PTH117 - a variable's text
        raise UsageError(f"PORTSUP_LOCK_DIR must be an absolute path, not {named!r}")
    return Path(named) if named else LOCK_FOLDER


def runtime_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where control sockets lie: $XDG_RUNTIME_DIR/portsup, else /tmp/portsup-<uid>."""
    named = environ.get("XDG_RUNTIME_DIR")
    return Path(named).absolute() / "portsup" if named else Path(f"/tmp/portsup-{os.getuid()}")


def socket_path(name: str, environ: Mapping[str, str] = os.environ) -> Path:
    """The path of a socket called `name`, hashed where the kernel would refuse its length."""
    folder = runtime_folder(environ)
    path = folder / f"{name}.sock"
    if _leaves_room(path):
        return path
    import hashlib

    hashed = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    short = folder / f"{hashed}.sock"
    return short if _leaves_room(short) else Path(f"/tmp/portsup-{os.getuid()}") / f"{hashed}.sock"


def _leaves_room(path: Path) -> bool:
    """Whether the shortest of its services' sockets fits into the kernel's structure."""
    return len(os.fsencode(path)) + len("-01234567") <= SOCKET_PATH_MAX


def service_socket(control: Path, service: str) -> Path:
    """The path of a socket of one service's own: beside the instance's control socket and beginning with
    its name, so that whoever knows the instance's record finds it."""
    path = control.with_name(f"{control.stem}-{service}.sock")
    if len(os.fsencode(path)) <= SOCKET_PATH_MAX:
        return path
    return control.with_name(f"{control.stem}-{zlib.crc32(os.fsencode(service)):08x}.sock")


def state_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """$XDG_STATE_HOME/portsup, else ~/.local/state/portsup."""
    named = environ.get("XDG_STATE_HOME")
    return (Path(named).absolute() if named else _home(environ) / ".local/state") / "portsup"


def _home(environ: Mapping[str, str]) -> Path:
    """Raises PortsupError for a user without one, as in some containers."""
    try:
        return Path(environ.get("HOME") or Path.home())
    except RuntimeError as error:
        raise PortsupError("this user has no home folder", hint="set HOME or XDG_STATE_HOME") from error


def api_token_file(environ: Mapping[str, str] = os.environ) -> Path:
    """What `portsup serve` wants of those who change something. No worktree's folder can be called that."""
    return state_folder(environ) / "api-token"


def instance_folder(config: Path, stack: str, instance: int, environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of one worktree's one instance: its logs and its data.

    The path of services.toml is hashed into the name, so that two worktrees of one project never
    open each other's files.
    """
    return worktree_folder(config, stack, environ) / str(instance)


def worktree_folder(config: Path, stack: str, environ: Mapping[str, str] = os.environ) -> Path:
    """The folder that all instances of one services.toml share."""
    # No cryptography here, and importing hashlib costs a command several milliseconds.
    worktree = zlib.crc32(os.fsencode(config.absolute()))
    return state_folder(environ) / f"{stack}-{worktree:08x}"


def log_folder(instance_folder: Path) -> Path:
    return instance_folder / "logs"


def service_log(logs: Path, service: str) -> Path:
    """What a service printed, byte for byte."""
    return logs / f"{service}.log"


def rotated_log(log: Path, age: int) -> Path:
    """The name of what was `log` before that was set aside `age` times; with 0, `log` itself."""
    return log.with_name(f"{log.name}.{age}") if age else log


def line_times(log: Path) -> Path:
    """When the lines of `log`, or of one that was set aside, were printed."""
    return log.with_name(f"{log.name}.times")


def event_log(logs: Path) -> Path:
    """What the supervisor did: one JSON object a line. No service can be called that: its name has a dot."""
    return logs / "portsup.events.jsonl"


def data_folder(instance_folder: Path) -> Path:
    return instance_folder / "data"
