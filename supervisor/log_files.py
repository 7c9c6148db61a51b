"""A log and the files that it was rotated into, opened for reading while it may be rotated. Leaf."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from supervisor.errors import PortsupError
from supervisor.paths import rotated_log
from supervisor.private import NO_FILE

GAP_MAX = 1
"""Names in a row that may be missing: one while a rotation is under way, or after one that failed."""

OLDEST = 100
"""Age at which the search ends: services.toml allows no more files, and whoever lays out more of them can't
have us open them all."""


def newest_first(log: Path, owner: int | None = None) -> Iterator[int]:
    """Descriptors for reading, the caller's to close: each file once, if they stay open until the end.

    A rotation moves files from each name to the next higher one, the way in which we go through them, so
    that none can get past us. Raises PortsupError if one can't be read, or isn't `owner`'s.
    """
    found: set[int] = set()
    age = missing = 0
    while missing <= GAP_MAX and age <= OLDEST:
        fd = open_log_file(rotated_log(log, age), owner)
        age += 1
        if fd is None:
            missing += 1
            continue
        missing = 0
        inode = os.fstat(fd).st_ino
        if inode in found:  # moved on, and met again
            os.close(fd)
        else:
            found.add(inode)
            yield fd


def open_log_file(path: Path, owner: int | None = None) -> int | None:
    """A descriptor for reading; None if there is no such file. With `owner`, a uid, it must be that user's
    and no link: another user's record may name any path. Raises PortsupError."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe isn't waited for
    try:
        fd = os.open(path, flags if owner is None else flags | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PortsupError(f"cannot read {path}: {NO_FILE.get(error.errno or 0, error.strerror)}") from error
    except ValueError as error:  # what no path can hold
        raise PortsupError(f"cannot read {str(path)!r}: {error}") from error
    wrong = _wrong_file(fd, owner)
    if wrong is None:
        return fd
    os.close(fd)
    raise PortsupError(f"cannot read {path}: {wrong}")


def _wrong_file(fd: int, owner: int | None) -> str | None:
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        return "it is not a file"
    return None if owner in (None, found.st_uid) else f"it belongs to uid {found.st_uid}"
