"""One lock file: taking it, writing its record, giving it back. The only place that imports filelock."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from supervisor.records import Record

INHERITED_FD_MIN = 64
"""Lock descriptors are moved up here, out of the way of the numbers that a child may use itself."""


class LockFolder:
    """The machine-wide folder, checked, with a shared flock on it while this object is open."""

    path: Path
    warnings: tuple[str, ...]

    @staticmethod
    def open(path: Path) -> LockFolder:
        """Create it if it is missing (mode 1777). Raises LockFolderError with the reason."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class HeldLock:
    """A lock file that this process holds by an open descriptor, never by a FileLock object."""

    path: Path
    fd: int

    def write(self, record: Record) -> None:
        """Commit `record`. Raises PortsupError (disk full and the like); the lock stays held."""
        raise NotImplementedError

    def intact(self) -> str | None:
        """None while the path still leads to our file with our record in it, else what is wrong."""
        raise NotImplementedError

    def give_back(self) -> None:
        """Unlink our file (only if the path still leads to it) and close. Never unlocks: LOCK_UN
        would free it for all who inherited the descriptor. Safe to call twice."""
        raise NotImplementedError

    def close(self) -> None:
        """Close our descriptor only: those who inherited it go on holding."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Busy:
    """Somebody else's: who, as far as the file tells."""

    path: Path
    record: Record | None
    identity: tuple[object, ...]
    """Equal in two looks if the same holder held it in both."""
    committed: bool
    """False while the holder has not written its record, or is just giving back."""
    reason: str
    """"held", "survivors", "other-user" or "other-namespace"."""


def take(path: Path) -> HeldLock | Busy:
    """One attempt, without waiting."""
    raise NotImplementedError
