"""A process that a unit runs, from spawn to exit status. Knows nothing of event loops."""

from __future__ import annotations

from dataclasses import dataclass

from supervisor.platform.contract import Owner


@dataclass(frozen=True, slots=True)
class Exit:
    """How a child ended: by exit code or by signal; with neither, that can't be known."""

    code: int | None = None
    signal: int | None = None

    @property
    def ok(self) -> bool:
        return self.code == 0

    def __str__(self) -> str:
        """In words: "code 1", "signal KILL"."""
        raise NotImplementedError


class Child:
    """Leader of a session and process group of its own."""

    owner: Owner
    exit_fd: int
    """Becomes readable when it exits."""
    output_fd: int
    """Read end of the pipe that stdout and stderr share, non-blocking."""

    def poll(self) -> Exit | None:
        """Reap it if it has exited. The same answer again afterwards."""
        raise NotImplementedError

    def signal_group(self, signum: int) -> bool:
        """Signal its process group; only while the leader isn't reaped, so that the number is still its."""
        raise NotImplementedError

    def close(self) -> None:
        """Close both descriptors."""
        raise NotImplementedError
