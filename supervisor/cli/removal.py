"""Removes a folder with all that is below it, and follows no link, also where somebody makes one meanwhile.

The tree is walked by descriptors, of which three are open at the most, however deep it is: the way back from
a folder is its `..`, if that is still where one came from.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass
class _Level:
    """A folder that is being emptied."""

    name: str
    identity: tuple[int, int]
    waiting: list[str]
    """Its entries that weren't tried yet."""
    emptied: bool = True
    """As far as they were tried."""


def remove(name: str, parent: int, path: str) -> Iterator[str]:
    """`name`, in the folder `parent` whose path is `path`; yields what is left, and why.

    Raises OSError if a folder is moved away meanwhile: then nobody knows where one is.
    """
    removal = Removal(parent, path)
    try:
        yield from removal.run(name)
    finally:
        removal.close()


class Removal:
    """At work in one folder after the other."""

    def __init__(self, parent: int, path: str) -> None:
        self._fd = os.dup(parent)
        self._levels = [_Level(path, _identity(parent), [])]
        self._device = os.fstat(parent).st_dev

    def run(self, name: str) -> Iterator[str]:
        """Remove `name`; yields what is left, and why."""
        self._levels[0].waiting.append(name)
        while True:
            if self._levels[-1].waiting:
                name = self._levels[-1].waiting.pop()
                why = self._remove(name)
            elif len(self._levels) > 1:
                name, why = self.leave()
            else:
                return
            if why:
                self._levels[-1].emptied = False
                yield f"{'/'.join(level.name for level in self._levels)}/{name}: {why}"

    def _remove(self, name: str) -> str | None:
        """Or enter it, if it is a folder that isn't empty; why it is left."""
        try:
            found = os.lstat(name, dir_fd=self._fd)
            if not stat.S_ISDIR(found.st_mode):
                os.unlink(name, dir_fd=self._fd)
            elif found.st_dev != self._device:
                return "another file system is mounted there"
            elif not self._remove_empty(name):
                self.enter(name)
        except OSError as error:
            return error.strerror
        return None

    def _remove_empty(self, name: str) -> bool:
        try:
            os.rmdir(name, dir_fd=self._fd)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                return False
            raise
        return True

    def enter(self, name: str) -> None:
        """Into the folder `name` of this one. Raises OSError."""
        fd = _open_to_empty(name, self._fd)
        try:
            os.stat("..", dir_fd=fd)  # without a way back we don't go in
            level = _Level(name, _identity(fd), os.listdir(fd))  # noqa: PTH208 - by descriptor
        except BaseException:
            os.close(fd)
            raise
        self._levels.append(level)
        self._go(fd)

    def leave(self) -> tuple[str, str | None]:
        """Back to the folder above, and remove this one; its name, and why it is left. Raises OSError if that
        isn't where it was entered."""
        left = self._levels.pop()
        self._go(os.open("..", OPEN_FOLDER, dir_fd=self._fd))
        if _identity(self._fd) != self._levels[-1].identity:
            raise OSError(errno.ESTALE, f"{left.name} was moved away meanwhile")
        if not left.emptied:
            self._levels[-1].emptied = False
            return left.name, None
        try:
            os.rmdir(left.name, dir_fd=self._fd)
        except OSError as error:
            return left.name, error.strerror
        return left.name, None

    def _go(self, fd: int) -> None:
        os.close(self._fd)
        self._fd = fd

    def close(self) -> None:
        os.close(self._fd)


def _identity(fd: int) -> tuple[int, int]:
    found = os.fstat(fd)
    return found.st_dev, found.st_ino


def _open_to_empty(name: str, parent: int) -> int:
    """Our own folder may be read-only, as those of Go's module cache are. Raises OSError."""
    try:
        fd = os.open(name, OPEN_FOLDER, dir_fd=parent)
    except PermissionError:
        if os.lstat(name, dir_fd=parent).st_uid != os.geteuid():
            raise
        os.chmod(name, stat.S_IRWXU, dir_fd=parent)
        return os.open(name, OPEN_FOLDER, dir_fd=parent)
    if os.fstat(fd).st_uid == os.geteuid():
        os.fchmod(fd, stat.S_IRWXU)
    return fd
