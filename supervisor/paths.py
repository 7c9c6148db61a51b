"""Where portsup keeps things. Leaf; creates nothing except in the functions that say so."""

from __future__ import annotations

import errno
import os
import stat
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from supervisor.errors import MORE_DESCRIPTORS, NO_DESCRIPTORS, PortsupError, UsageError

if TYPE_CHECKING:
    from socket import socket as Socket  # noqa: N812 - its class, named as one

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


def make_private_folder(folder: Path) -> None:
    """Create `folder` with mode 0700 and make sure that it is ours alone.

    Raises PortsupError if it is a link, another user's, or could be exchanged by others: /tmp is shared,
    and whoever made the folder first could otherwise plant a socket there. Raises OSError.
    """
    _ensure_folder(folder)
    if check_private_folder(folder).st_mode & 0o077:
        folder.chmod(0o700)


def check_private_folder(folder: Path) -> os.stat_result:
    """What `make_private_folder` finds of a folder that is there. Raises as it does."""
    found = _checked(folder, "sockets", "XDG_RUNTIME_DIR", link_allowed=False)
    above = folder.parent.stat().st_mode
    if above & stat.S_IWOTH and not above & stat.S_ISVTX:
        raise PortsupError(
            f"cannot use {folder} for sockets: others could put another in its place",
            hint=f"chmod +t {folder.parent}, or set XDG_RUNTIME_DIR to a private folder",
        )
    return found


def _ensure_folder(folder: Path) -> None:
    try:
        _make_folder(folder)
    except FileExistsError:
        pass  # but what is it?


def _checked(folder: Path, use: str, variable: str, *, link_allowed: bool) -> os.stat_result:
    """Raises PortsupError unless it is this user's own folder; OSError."""
    entry = folder.lstat()
    found = folder.stat() if link_allowed else entry
    for uid in (entry.st_uid, found.st_uid):
        if uid != os.getuid():
            raise PortsupError(
                f"cannot use {folder} for {use}: it belongs to uid {uid}",
                hint=f"set {variable} to a private folder, or have root remove this one",
            )
    if not stat.S_ISDIR(found.st_mode):
        raise PortsupError(
            f"cannot use {folder} for {use}: it is not a folder",
            hint=f"remove it, or set {variable} to a private folder",
        )
    return found


def _make_folder(folder: Path) -> None:
    """With what is missing above it, for this user alone: Path.mkdir gives those above the umask's mode."""
    try:
        folder.mkdir(0o700, exist_ok=True)
    except FileNotFoundError:
        _make_folder(folder.parent)
        folder.mkdir(0o700, exist_ok=True)


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


def bind_private(socket: Socket, path: Path, what: str) -> None:
    """Bind a Unix socket of mode 0600, in a folder of this user's own; replaces a stale one.

    `what` it is stands in the PortsupError that is raised if the folder or the path can't be used.
    """
    elsewhere = "set XDG_RUNTIME_DIR to a private folder with a short path"
    try:
        make_private_folder(path.parent)
        path.unlink(missing_ok=True)
        socket.bind(os.fspath(path))
        path.chmod(0o600)
    except OSError as error:
        raise PortsupError(
            f"cannot listen on the {what} {path}: {error.strerror or error}",
            hint=MORE_DESCRIPTORS if error.errno in NO_DESCRIPTORS else elsewhere,
        ) from error


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


def open_log(path: Path) -> int:
    """A descriptor that appends to `path`, made with its folder if need be, for this user's eyes only.

    Raises PortsupError, also for a link, a pipe or another user's file.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        _make_folder(path.parent)
        log = os.open(path, flags | os.O_NONBLOCK, 0o600)  # a pipe without a reader isn't waited for
    except OSError as error:
        why = NO_FILE.get(error.errno or 0, error.strerror)
        raise _unusable_state(path, why, error.errno) from error
    found = os.fstat(log)
    if stat.S_ISREG(found.st_mode) and found.st_uid == os.getuid():
        return log
    os.close(log)
    whose = "it is not a file" if found.st_uid == os.getuid() else f"it belongs to uid {found.st_uid}"
    raise _unusable_state(path, whose)


NO_FILE = {errno.ELOOP: "it is a link", errno.EISDIR: "it is not a file", errno.ENXIO: "it is not a file"}
"""Why the kernel refuses to open with O_NOFOLLOW and O_NONBLOCK what is no file."""


def make_data_folder(instance_folder: Path) -> Path:
    """Create it if it is missing. Raises PortsupError."""
    folder = data_folder(instance_folder)
    try:
        _make_folder(folder)
    except OSError as error:
        raise _unusable_state(folder, error.strerror, error.errno) from error
    return folder


def make_state_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The state folder, this user's own, and closed for others' writing: below it nothing is planted.

    It may be a link of this user's own, as to a larger disk. Raises PortsupError.
    """
    folder = state_folder(environ)
    try:
        _ensure_folder(folder)
        found = check_state_folder(folder)
        if found.st_mode & 0o022:
            folder.chmod(stat.S_IMODE(found.st_mode) & ~0o022)
    except OSError as error:
        raise _unusable_state(folder, error.strerror, error.errno) from error
    return folder


def check_state_folder(folder: Path) -> os.stat_result:
    """What `make_state_folder` finds of a folder that is there. Raises PortsupError; OSError."""
    return _checked(folder, "logs and data", "XDG_STATE_HOME", link_allowed=True)


def open_private(path: str, flags: int) -> int:
    """An opener for open(): a new file is for this user's eyes only, and a link isn't followed."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _unusable_state(path: Path, why: str | None, number: int | None = None) -> PortsupError:
    """`number` is the errno, where it was the kernel that refused."""
    repair = "make room or repair it, or name another folder in XDG_STATE_HOME"
    hint = MORE_DESCRIPTORS if number in NO_DESCRIPTORS else repair
    return PortsupError(f"cannot write to {path}: {why}", hint=hint)


def data_folder(instance_folder: Path) -> Path:
    return instance_folder / "data"
