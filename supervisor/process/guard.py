"""The supervisor's parent: when the supervisor dies for whatever reason, end what is left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


class GuardLink:
    """The supervisor's end of its connection with the guard."""

    commands_fd: int
    """One byte for each INT ("I"), TERM ("T") or HUP ("H") that the guard got; end of file when the
    guard is gone."""

    def report_finished(self) -> None:
        """Everything that must end has ended: whoever is left below was spared on purpose."""
        raise NotImplementedError


def guarded(body: Callable[[GuardLink], int], lock_folder: Path) -> int:
    """Fork: the child becomes the supervisor and runs `body`, the parent guards it.

    Returns in the parent only, with the exit code for the whole: the supervisor's, or 128+n if
    signal n killed it. `body` must not raise; call this before anything heavy is imported and before
    a thread is started.
    """
    raise NotImplementedError


def detached(body: Callable[[Callable[[dict[str, object]], None]], int]) -> dict[str, object]:
    """Run `body` in a daemon: a session of its own, none of the caller's descriptors, stdio on /dev/null.

    `body` gets a function that answers the caller once; returns that answer in the caller. If the
    daemon dies without one, raises PortsupError.
    """
    raise NotImplementedError
