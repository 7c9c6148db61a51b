"""Folders, files and sockets that are this user's own, and for nobody else to write. Leaf."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from supervisor.errors import MORE_DESCRIPTORS, NO_DESCRIPTORS, PortsupError
from supervisor.paths import data_folder, state_folder

if TYPE_CHECKING:
    from socket import socket as Socket  # noqa: N812 - its class, named as one


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


def make_data_folder(instance_folder: Path) -> Path:
    """Create it if it is missing. Raises PortsupError."""
    folder = data_folder(instance_folder)
    try:
        _make_folder(folder)
    except OSError as error:
        raise _unusable_state(folder, error.strerror, error.errno) from error
    return folder


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


def _ensure_folder(folder: Path) -> None:
    try:
        _make_folder(folder)
    except FileExistsError:
        pass  # but what is it?


def _make_folder(folder: Path) -> None:
    """With what is missing above it, for this user alone: Path.mkdir gives those above the umask's mode."""
    try:
        folder.mkdir(0o700, exist_ok=True)
    except FileNotFoundError:
        _make_folder(folder.parent)
        folder.mkdir(0o700, exist_ok=True)


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


def open_private(path: str, flags: int) -> int:
    """An opener for open(): a new file is for this user's eyes only, and a link isn't followed."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _unusable_state(path: Path, why: str | None, number: int | None = None) -> PortsupError:
    """`number` is the errno, where it was the kernel that refused."""
    repair = "make room or repair it, or name another folder in XDG_STATE_HOME"
    hint = MORE_DESCRIPTORS if number in NO_DESCRIPTORS else repair
    return PortsupError(f"cannot write to {path}: {why}", hint=hint)
