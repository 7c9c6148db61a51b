"""The folders of locks, of state and of sockets: are they there, whose are they, who may write there."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from supervisor import paths, private
from supervisor.cli.checkup.finding import Finding, as_root, fail, ok, warn
from supervisor.errors import LockFolderError, PortsupError
from supervisor.ports.lock import judge_folder

LOCKS = "lock folder"
TMPFILES = "tmpfiles"
STATE = "state folder"
SOCKETS = "socket folder"

CONFIGURED = tuple(
    Path(folder)
    for folder in ("/etc/tmpfiles.d", "/run/tmpfiles.d", "/usr/local/lib/tmpfiles.d", "/usr/lib/tmpfiles.d")
)
"""Where systemd-tmpfiles looks, the first one wins: tmpfiles.d(5)."""

MAKES_FOLDERS = frozenset("dDvqQ")
EXAMPLE_SOCKET = "stack-1-abcdef"


def lock_folder(folder: Path) -> Finding:
    if not os.path.lexists(folder):
        return _not_there(LOCKS, folder, "PORTSUP_LOCK_DIR")
    try:
        warnings = judge_folder(folder)
    except LockFolderError as error:
        return fail(LOCKS, error.message, error.hint, _make_proper(folder))
    if warnings:
        return warn(LOCKS, "; ".join(warnings), "make it root's", _make_proper(folder))
    found = folder.stat()
    if folder == paths.LOCK_FOLDER and not found.st_mode & stat.S_IWOTH:
        return warn(
            LOCKS, f"{folder} is closed to the machine's other users", "open it", _make_proper(folder)
        )
    return ok(LOCKS, f"{folder} is {_whose(found)}, mode {stat.S_IMODE(found.st_mode):o}")


def _make_proper(folder: Path) -> str:
    """For a link or a file that is in the way: what is in the way goes first."""
    name = shlex.quote(str(folder))
    if folder.is_symlink() or not folder.is_dir():
        return f"{as_root(f'rm {name}')} && {as_root(f'install -d -o root -g root -m 1777 {name}')}"
    if folder.stat().st_uid == os.geteuid():
        return f"chmod 1777 {name}"
    return as_root(f"install -d -o root -g root -m 1777 {name}")


def _whose(found: os.stat_result) -> str:
    if found.st_uid == os.geteuid():
        return "this user's"
    return "root's" if found.st_uid == 0 else f"uid {found.st_uid}'s"


def _not_there(check: str, folder: Path, variable: str) -> Finding:
    """Whether it can be made when it is needed."""
    above = next(parent for parent in folder.parents if os.path.lexists(parent))
    if above.is_dir() and os.access(above, os.W_OK | os.X_OK):
        return ok(check, f"{folder} is made when it is needed")
    return fail(
        check,
        f"{folder} can't be made: this user can't write to {above}",
        f"set {variable} to another folder",
    )


def tmpfiles(folder: Path, configured: Iterable[Path] = CONFIGURED) -> Finding:
    """What systemd-tmpfiles makes of the lock folder. A running instance keeps it from there."""
    present = [place for place in configured if place.is_dir()]
    if not present:
        return ok(TMPFILES, "no systemd-tmpfiles here")
    for file, mode in _lines_about(folder, present):
        if mode not in ("1777", "01777"):
            return warn(
                TMPFILES,
                f"{file} gives {folder} mode {mode}: others' locks won't fit in, or won't be safe",
                f"write there: {_proper_line(folder)}",
            )
        return ok(TMPFILES, f"{file} makes {folder} at each boot")
    if folder != paths.LOCK_FOLDER or not folder.is_dir() or folder.stat().st_uid in (0, os.geteuid()):
        return ok(TMPFILES, f"nothing about {folder}; who needs it first makes it")
    tee = as_root("tee /etc/tmpfiles.d/portsup.conf")
    return warn(
        TMPFILES,
        f"nothing about {folder}: after a boot it belongs to whoever comes first",
        "have root make it at each boot",
        f"echo {shlex.quote(_proper_line(folder))} | {tee}",
    )


def _proper_line(folder: Path) -> str:
    return f"d {folder} 1777 root root -"


def _lines_about(folder: Path, configured: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """File and mode of each line that makes `folder`."""
    for place in configured:
        for file in sorted(place.glob("*.conf")):
            for line in _read(file).splitlines():
                kind, path, mode, *_ = (*line.split(), "", "", "")
                if kind[:1] in MAKES_FOLDERS and path.rstrip("/") == str(folder):
                    yield file, mode.lstrip("~:")


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""


def state_folder() -> Finding:
    try:
        folder = paths.state_folder()
    except PortsupError as error:
        return fail(STATE, error.message, error.hint)
    return _own(STATE, folder, "XDG_STATE_HOME", private.check_state_folder, 0o022)


def socket_folder() -> Finding:
    folder = paths.runtime_folder()
    elsewhere = paths.socket_path(EXAMPLE_SOCKET).parent
    if elsewhere != folder:
        size = len(os.fsencode(folder))
        return warn(
            SOCKETS,
            f"{folder} is too long for a socket's path ({size} bytes): sockets lie in {elsewhere}",
            "set XDG_RUNTIME_DIR to a shorter one",
        )
    return _own(SOCKETS, folder, "XDG_RUNTIME_DIR", private.check_private_folder, 0o077)


def _own(
    check: str, folder: Path, variable: str, judge: Callable[[Path], os.stat_result], forbidden: int
) -> Finding:
    """A folder that must be this user's own, without the `forbidden` bits of its mode."""
    if not os.path.lexists(folder):
        return _not_there(check, folder, variable)
    try:
        mode = stat.S_IMODE(judge(folder).st_mode)
    except PortsupError as error:
        return fail(check, error.message, error.hint)
    except OSError as error:
        return fail(check, f"cannot look at {folder}: {error.strerror}", f"set {variable} to another folder")
    name = shlex.quote(str(folder))
    if mode & forbidden:
        return warn(
            check,
            f"{folder} has mode {mode:o}: others have access, until the next `up` takes it from them",
            command=f"chmod {mode & ~forbidden:o} {name}",
        )
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return fail(check, f"this user can't write to {folder}, mode {mode:o}", command=f"chmod u+rwx {name}")
    return ok(check, f"{folder} is this user's, mode {mode:o}")
