"""What the guard does when the supervisor died: end everyone below, remove socket and locks.

What ends the tree imports nothing that isn't there already: at that moment each millisecond counts, and
long after the start the code on the disk may have been replaced or removed. What comes after may fail.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # as in vigil.py
import os
import stat
import time

TYPE_CHECKING = False  # typing is a module that the guard does without
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SWEEP_SECONDS = 10.0
"""SIGKILL takes effect at once, save on who hangs in the kernel or isn't ours to signal."""

LOOK_EVERY = 0.002
"""Seconds."""


def clean_up(
    code: int,
    supervisor: tuple[int, int],
    sockets: Sequence[bytes],
    lock_folder: str,
    children: Callable[[], Sequence[int]],
) -> None:
    """End whatever is left of the instance and say so on stderr.

    `code` is that of the dead supervisor (negative: the signal that killed it), a pid and a start time;
    `sockets` is what it reported, `children` gives those of the guard that are to be ended.
    """
    # The socket first: while the tree lives it holds the instance number, so that nobody else can have
    # put a socket of his own in its place.
    for socket in sockets:
        _unlink_socket(socket)
    ended, left = _sweep(children)
    try:
        if not left:
            _unlink_locks(lock_folder, supervisor)
        _tell(code, ended, left)
    except Exception as error:
        _complain(f"its services were ended, its lock files not removed ({error}); see `portsup prune`")


def _tell(code: int, ended: int, left: Sequence[int]) -> None:
    from supervisor.config.signals import signal_name
    from supervisor.process.forked import say

    if code < 0:
        say(f"the supervisor was killed (signal {signal_name(-code)}); its services were ended")
    elif ended:
        say(f"the supervisor ended early (code {code}); its services were ended")
    if left:
        say(f"still alive: {', '.join(map(str, left))}; see `portsup prune`")


def _complain(text: str) -> None:
    """As `say`, with Python's own means."""
    import select

    try:
        if select.select((), (2,), (), 1.0)[1]:
            os.write(2, b"portsup: %s\n" % text.encode(errors="backslashreplace"))
    except (OSError, ValueError):
        pass


def _sweep(children: Callable[[], Sequence[int]]) -> tuple[int, Sequence[int]]:
    """SIGKILL to our children until there are none. How many that were, and who is left after all.

    Whoever loses its parent becomes our child, before that parent can be waited for: with the last child
    everyone below is gone. And nobody gets the pid of a child that nobody has waited for.
    """
    deadline = time.monotonic() + SWEEP_SECONDS
    ended: set[int] = set()
    while found := children():
        alive = [pid for pid in found if _is_alive(pid)]
        if time.monotonic() > deadline:
            return len(ended), alive
        ended.update(alive)
        for pid in alive:
            _kill(pid)
        if alive:  # else those that have just been waited for may have left us their children
            time.sleep(LOOK_EVERY)
    return len(ended), ()


def _is_alive(child: int) -> bool:
    """Waits for it if it isn't."""
    try:
        return os.waitpid(child, os.WNOHANG) == (0, 0)
    except ChildProcessError:
        return False


def _kill(child: int) -> None:
    try:
        os.kill(child, _signal.SIGKILL)
    except PermissionError:
        pass  # it became another user's, as setuid programs do


def _unlink_socket(report: bytes) -> None:
    """`report` is device, inode and path."""
    device, inode, path = report.split(b" ", 2)
    try:
        found = os.lstat(path)
        if stat.S_ISSOCK(found.st_mode) and (found.st_dev, found.st_ino) == (int(device), int(inode)):
            os.unlink(path)  # noqa: PTH108 - bytes, as they were reported
    except OSError:
        pass


def _unlink_locks(folder: str, supervisor: tuple[int, int]) -> None:
    from pathlib import Path

    from supervisor.platform.contract import Owner
    from supervisor.ports.prune import unlink_dead

    unlink_dead(Path(folder), Owner(*supervisor))
