"""A log and the files that it was rotated into, opened for reading while it may be rotated. Leaf."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from supervisor.errors import PortsupError
from supervisor.paths import rotated_log

GAP_MAX = 1
"""Names in a row that may be missing: one while a rotation is under way, or after one that failed."""


def newest_first(log: Path) -> Iterator[int]:
    """Descriptors for reading, the caller's to close: each file once, if they stay open until the end.

    A rotation moves files from each name to the next higher one, the way in which we go through them, so
    that none can get past us. Raises PortsupError if one can't be read.
    """
    found: set[int] = set()
    age = missing = 0
    while missing <= GAP_MAX:
        fd = open_log_file(rotated_log(log, age))
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


def open_log_file(path: Path) -> int | None:
    """A descriptor for reading; None if there is no such file. Raises PortsupError."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe isn't waited for
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PortsupError(f"cannot read {path}: {error.strerror}") from error
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    raise PortsupError(f"cannot read {path}: it is not a file")
