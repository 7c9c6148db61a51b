"""One lock file: taking it, writing its record, giving it back. The only place that takes locks."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from supervisor.errors import MORE_DESCRIPTORS, NO_DESCRIPTORS, LockFolderError, PortsupError
from supervisor.ports.liveness import Liveness, leaders, liveness, survivors
from supervisor.records import MAX_BYTES, Record, decode, encode

INHERITED_FD_MIN = 64
"""Lock descriptors are moved up here, out of the way of the numbers that a child may use itself."""

FOLDER_MODE = 0o1777
FILE_MODE = 0o644
"""Readable for all users of the machine, so that each can tell the others' locks."""

REOPENS = 20
"""How often one attempt goes after a path whose file is unlinked under its hands."""

ELSEWHERE = "repair it, or name another folder in PORTSUP_LOCK_DIR"

OPEN_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
"""O_NONBLOCK is for whoever plants a pipe there."""


class LockFolder:
    """The machine-wide folder, checked, with a shared flock on it while this object is open."""

    def __init__(self, path: Path, fd: int, warnings: tuple[str, ...]) -> None:
        self.path = path
        self.warnings = warnings
        self._fd = fd

    @staticmethod
    def open(path: Path) -> LockFolder:
        """Create it if it is missing (mode 1777). Raises LockFolderError with the reason."""
        fd = _open_folder(path, make=True)
        try:
            return LockFolder(path, fd, (*_check_folder(path, os.fstat(fd)), *_keep_from_cleaners(path, fd)))
        except BaseException:
            os.close(fd)
            raise

    def close(self) -> None:
        """Safe to call twice."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def judge_folder(path: Path) -> tuple[str, ...]:
    """What `LockFolder.open` would warn of, or raise, of a folder that is there. Changes nothing."""
    fd = _open_folder(path, make=False)
    try:
        return _check_folder(path, os.fstat(fd))
    finally:
        os.close(fd)


def _open_folder(path: Path, *, make: bool) -> int:
    """Raises LockFolderError."""
    try:
        if make:
            _make_folder(path)
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise _unusable_folder(path, _why_no_folder(path, error)) from error


def _make_folder(path: Path) -> None:
    """The mode comes with the folder, not after it: whoever comes second must find it usable."""
    path.parent.mkdir(parents=True, exist_ok=True)
    umask = os.umask(0)
    try:
        path.mkdir(FOLDER_MODE)
    except FileExistsError:
        return
    finally:
        os.umask(umask)
    path.chmod(FOLDER_MODE)  # systems differ in whether mkdir takes the sticky bit


def _why_no_folder(path: Path, error: OSError) -> str:
    if path.is_symlink():
        return "it is a link"
    if path.exists() and not path.is_dir():
        return "it is not a folder"
    return (error.strerror or str(error)).lower()


def _check_folder(path: Path, found: os.stat_result) -> tuple[str, ...]:
    """Warnings; raises LockFolderError."""
    if found.st_mode & (stat.S_IWOTH | stat.S_IWGRP) and not found.st_mode & stat.S_ISVTX:
        raise _unusable_folder(
            path,
            "others may write there and its sticky bit is missing, so they could remove your locks",
            hint=f"chmod +t {path}",
        )
    if not os.access(path, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise _unusable_folder(path, "this user can't write there")
    if found.st_uid not in (0, os.geteuid()):
        return (f"the lock folder {path} belongs to uid {found.st_uid}, who could remove your locks",)
    return ()


def _unusable_folder(path: Path, why: str, hint: str | None = None) -> LockFolderError:
    return LockFolderError(
        f"cannot use {path} for locks: {why}",
        hint=hint or ELSEWHERE,
    )


def unreadable_folder(path: Path, error: OSError) -> LockFolderError:
    """For those who merely look."""
    return LockFolderError(f"cannot look into {path}: {error.strerror}", hint=ELSEWHERE)


def _keep_from_cleaners(path: Path, fd: int) -> tuple[str, ...]:
    """systemd-tmpfiles leaves alone a folder under /tmp on which it can't get an exclusive lock."""
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return (f"cannot lock {path} against being cleaned up: {error.strerror}",)
    return ()


class HeldLock:
    """A lock file that this process holds by an open descriptor, and not longer: the descriptor is ours
    alone to close, and nothing unlocks it."""

    def __init__(self, path: Path, fd: int) -> None:
        """`fd` is open for writing and holds the lock; it is ours from now on."""
        found = os.fstat(fd)
        self.path = path
        self.fd = fd
        self.identity = (found.st_dev, found.st_ino)
        self._written = b""
        self._unchanged_since = 0

    def write(self, record: Record) -> None:
        """Commit `record`. Raises PortsupError (disk full and the like); the lock stays held."""
        data = encode(record)
        try:
            written = 0
            while written < len(data):
                written += os.pwrite(self.fd, data[written:], written)
            os.ftruncate(self.fd, len(data))
        except OSError as error:
            raise PortsupError(
                f"cannot write the lock file {self.path}: {error.strerror}",
                hint="make room there, or name another folder in PORTSUP_LOCK_DIR",
            ) from error
        self._written = data
        self._unchanged_since = 0  # unknown: the next look reads it

    def intact(self) -> str | None:
        """None while the path still leads to our file with our record in it, else what is wrong.

        A mode that was changed is set right: it hides the record and takes nothing from us.
        """
        try:
            found = os.lstat(self.path)
            if (found.st_dev, found.st_ino) != self.identity:
                return "the lock file was replaced"
            # Moved by whatever is done to a file by its path or a descriptor: to its content, mode or name.
            if found.st_ctime_ns == self._unchanged_since:
                return None
            if stat.S_IMODE(found.st_mode) != FILE_MODE:
                os.fchmod(self.fd, FILE_MODE)
        except FileNotFoundError:
            return "the lock file was deleted"
        except OSError as error:
            return f"the lock file can't be reached: {error.strerror}"
        since = os.fstat(self.fd).st_ctime_ns  # first: who writes while we read is seen in the next look
        if os.pread(self.fd, MAX_BYTES, 0) != self._written:
            return "its record was overwritten"
        self._unchanged_since = since
        return None

    def leads_here(self) -> bool:
        """Whether the path still leads to our file, whatever stands in it."""
        return _leads_to(self.path, self.fd)

    def give_back(self) -> None:
        """Unlink our file (only if the path still leads to it) and close. Never unlocks: LOCK_UN
        would free it for all who inherited the descriptor. Safe to call twice."""
        if self.fd < 0:
            return
        try:
            if _leads_to(self.path, self.fd):
                os.ftruncate(self.fd, 0)  # to whoever reads it now: not committed, look again
                self.path.unlink()
        except OSError:
            pass  # a folder that was taken away or turned read-only: a free, empty file binds nobody
        finally:
            self.close()

    def close(self) -> None:
        """Close our descriptor only: those who inherited it go on holding."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)


class Busy(NamedTuple):
    """Somebody else's: who, as far as the file tells."""

    path: Path
    record: Record | None
    identity: tuple[object, ...]
    """Equal in two looks if the same holder held it in both."""
    committed: bool
    """False while this may pass by itself within moments: the holder has not written its record, is
    just giving back, or is dead and its guard at work."""
    reason: str
    """"held", "survivors", "other-user", "other-namespace" or "unusable" (the path is no file)."""


def take(path: Path) -> HeldLock | Busy:
    """One attempt, without waiting. Raises PortsupError where the system refuses (no descriptors
    left, disk full)."""
    for _ in range(REOPENS):
        try:
            found = _attempt(path)
        except OSError as error:
            raise _cannot_claim(path, error) from error
        if found is not None:
            return found
    return Busy(path, None, (), committed=False, reason="held")


def _cannot_claim(path: Path, error: OSError) -> PortsupError:
    hint = MORE_DESCRIPTORS if error.errno in NO_DESCRIPTORS else None
    return PortsupError(f"cannot claim {path}: {error.strerror}", hint=hint)


def _attempt(path: Path) -> HeldLock | Busy | None:
    """None if the file was unlinked meanwhile: open the path again."""
    try:
        fd = _open(path)
    except PermissionError:
        return _look_at_foreign(path)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            return Busy(path, None, ("unusable",), committed=True, reason="unusable")
        raise
    if fd is None:
        return None
    taken = False
    try:
        found = _lock(path, fd)
        taken = isinstance(found, HeldLock)
        return found
    finally:
        if not taken:
            os.close(fd)


def _open(path: Path) -> int | None:
    """A descriptor for writing, at INHERITED_FD_MIN or above; None if another was quicker to create it.

    O_CREAT only where there is nothing: fs.protected_regular refuses it for another user's file in a
    sticky folder, to root as well.
    """
    try:
        low = os.open(path, os.O_RDWR | OPEN_FLAGS)
    except FileNotFoundError:
        try:
            low = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | OPEN_FLAGS, FILE_MODE)
        except FileExistsError:
            return None
        except PermissionError as error:
            raise _unusable_folder(path.parent, "this user can't write there") from error
        os.fchmod(low, FILE_MODE)  # a umask of 077 would hide the holder from the other users
        try:
            return move_up(low)
        except OSError:
            remove_free(path, lambda record: record is None)  # to other users an empty file is a holder
            raise
    return move_up(low)


def move_up(low: int) -> int:
    """`low` from INHERITED_FD_MIN on, close-on-exec; the old number is closed. Raises OSError."""
    try:
        return fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, INHERITED_FD_MIN)
    except OSError as error:
        if error.errno == errno.EINVAL:  # how the kernel says that the limit is below INHERITED_FD_MIN
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE)) from error
        raise
    finally:
        os.close(low)


def _flock(fd: int, kind: int) -> bool:
    """Take that kind of lock on `fd` without waiting; False if somebody else is in the way. Raises OSError.

    The same lock as filelock's FileLock and flock(1) take on the file, so that scripts can wait for it. By
    flock itself: to import filelock takes a tenth of the time that five services have until they accept.
    """
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # some network file systems say EACCES
        return False
    return True


def _lock(path: Path, fd: int) -> HeldLock | Busy | None:
    status = os.fstat(fd)
    if not _is_lock_file(status):
        return Busy(path, None, ("unusable",), committed=True, reason="unusable")
    locked = _flock(fd, fcntl.LOCK_EX)
    if not _leads_to(path, fd):
        return None
    if not locked:
        return _held(path, fd)
    if busy := _in_the_way(path, fd):
        return busy
    if status.st_uid != os.geteuid():  # stale, and we may remove it: hold a file of our own instead
        return _remove_foreign(path, fd)
    os.ftruncate(fd, 0)
    return HeldLock(path, fd)


def _is_lock_file(status: os.stat_result) -> bool:
    """A file, and nowhere else by another name: it will be emptied."""
    return stat.S_ISREG(status.st_mode) and status.st_nlink <= 1


def _leads_to(path: Path, fd: int) -> bool:
    """Whether `path` is the very file that is open as `fd`."""
    try:
        there = os.lstat(path)
    except OSError:
        return False
    here = os.fstat(fd)
    return here.st_nlink > 0 and (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


def _held(path: Path, fd: int) -> Busy:
    """Locked. With a dead supervisor, those who inherited the descriptor hold it: mostly for the
    moment until the guard has ended them."""
    record = _read(fd)
    state = liveness(record) if record else None
    if state in (Liveness.DEAD, Liveness.REBOOTED):
        return _busy(path, fd, record, "survivors", committed=False)
    return _busy(path, fd, record, "held", committed=record is not None)


def _in_the_way(path: Path, fd: int) -> Busy | None:
    """The lock is free: does anybody stand behind the record that is left in the file?"""
    record = _read(fd)
    state = liveness(record) if record else Liveness.REBOOTED
    if record is None or state is Liveness.REBOOTED:
        return None
    if state is Liveness.ELSEWHERE:
        return _busy(path, fd, record, "other-namespace", committed=True)
    if state is Liveness.ALIVE:
        return _busy(path, fd, record, "held", committed=True)
    if survivors(record.instance_id, leaders(record, path.parent)):
        return _busy(path, fd, record, "survivors", committed=False)
    return None


def _remove_foreign(path: Path, fd: int) -> Busy | None:
    try:
        path.unlink()
    except PermissionError:
        return _busy(path, fd, _read(fd), "other-user", committed=True)
    return None


def _look_at_foreign(path: Path) -> Busy | None:
    """Another user's file: test its lock, as far as we may."""
    try:
        fd = os.open(path, os.O_RDONLY | OPEN_FLAGS)
    except FileNotFoundError:
        return None
    except OSError:
        return Busy(path, None, ("unreadable",), committed=True, reason="other-user")
    try:
        if not _is_lock_file(os.fstat(fd)):
            return Busy(path, None, ("unusable",), committed=True, reason="unusable")
        if is_locked(fd):
            return _held(path, fd) if _leads_to(path, fd) else None
        record = _read(fd)
        return _busy(path, fd, record, "other-user", committed=record is not None)
    finally:
        os.close(fd)


def _busy(path: Path, fd: int, record: Record | None, reason: str, *, committed: bool) -> Busy:
    found = os.fstat(fd)
    holder = (record.instance_id, record.supervisor) if record else ()
    return Busy(path, record, (found.st_dev, found.st_ino, *holder), committed, reason)


def _read(fd: int) -> Record | None:
    return decode(os.pread(fd, MAX_BYTES, 0))


def is_locked(fd: int) -> bool:
    """Whether somebody holds the lock. Looks with a shared one, so that two who look don't take each
    other for a holder.

    `fd` is the caller's own and never held the lock: so here, alone, unlocking frees it for nobody else. Not
    left to the close: whoever looks goes on to search for survivors, and would keep guard and prune from
    removing the file meanwhile.
    """
    if not _flock(fd, fcntl.LOCK_SH):
        return True
    fcntl.flock(fd, fcntl.LOCK_UN)
    return False


def remove_free(path: Path, is_stale: Callable[[Record | None], bool]) -> bool:
    """Unlink a lock file that nobody holds and whose record `is_stale`, holding its lock meanwhile.

    True if it is gone. Raises OSError where this user may not.
    """
    try:
        fd = os.open(path, os.O_RDONLY | OPEN_FLAGS)
    except FileNotFoundError:
        return True
    try:
        if not _flock(fd, fcntl.LOCK_EX) or not _leads_to(path, fd) or not is_stale(_read(fd)):
            return False
        path.unlink()
        return True
    finally:
        os.close(fd)
