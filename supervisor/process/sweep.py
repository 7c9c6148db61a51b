"""What the guard does when the supervisor died: end everyone below, remove socket and locks."""

from __future__ import annotations

import os
import signal
import stat
import time
from collections.abc import Sequence
from pathlib import Path

from supervisor.platform import os_facts
from supervisor.platform.contract import Owner
from supervisor.process.child import signal_name
from supervisor.process.forked import say
from supervisor.process.tree import children_until_stable, reap_children, with_descendants

SWEEP_SECONDS = 10.0
"""SIGKILL takes effect at once, save on who hangs in the kernel or isn't ours to signal."""

LOOK_EVERY = 0.002
"""Seconds."""


def clean_up(
    code: int, supervisor: Owner | None, sockets: Sequence[bytes], lock_folder: Path, spared: frozenset[int]
) -> None:
    """End whatever is left of the instance and say so on stderr.

    `code` is the dead supervisor's (negative: the signal that killed it), `sockets` what it reported,
    `spared` the guard's children from before, which it never waits for.
    """
    # The socket first: while the tree lives it holds the instance number, so that nobody else can have
    # put a socket of his own in its place.
    for socket in sockets:
        _unlink_socket(socket)
    ended, left = _sweep(spared)
    # The locks before any word: stderr may be a terminal or a pipe that takes no more (Ctrl-S).
    if not left and supervisor is not None:
        _unlink_locks(lock_folder, supervisor)
    if code < 0:
        say(f"the supervisor was killed (signal {signal_name(-code)}); its services were ended")
    elif ended:
        say(f"the supervisor ended early (code {code}); its services were ended")
    if left:
        say(f"still alive: {', '.join(str(owner.pid) for owner in left)}; see `portsup prune`")


def _sweep(spared: frozenset[int]) -> tuple[int, list[Owner]]:
    """SIGKILL to everyone below until nobody is left. How many that were, and who is left after all."""
    deadline = time.monotonic() + SWEEP_SECONDS
    ended: set[Owner] = set()
    while alive := _alive_below(os.getpid(), spared):
        if time.monotonic() > deadline:
            break
        for owner in alive:
            os_facts.send_signal(owner, signal.SIGKILL)
        ended.update(alive)
        time.sleep(LOOK_EVERY)
        reap_children(spared)
    reap_children(spared)
    return len(ended), alive


def _alive_below(pid: int, spared: frozenset[int]) -> list[Owner]:
    return [
        process.owner
        for child in children_until_stable(pid)
        if child not in spared
        for process in with_descendants(child)
        if not process.zombie
    ]


def _unlink_socket(report: bytes) -> None:
    """`report` is device, inode and path."""
    device, inode, path = report.split(b" ", 2)
    try:
        found = os.lstat(path)
        if stat.S_ISSOCK(found.st_mode) and (found.st_dev, found.st_ino) == (int(device), int(inode)):
            os.unlink(path)  # noqa: PTH108 - bytes, as they were reported
    except OSError:
        pass


def _unlink_locks(folder: Path, supervisor: Owner) -> None:
    try:
        from supervisor.ports.prune import unlink_dead

        unlink_dead(folder, supervisor)
    except Exception as error:
        # Long after the start: the code on the disk may have been replaced or removed.
        say(f"cannot remove its lock files ({error}); see `portsup prune`")
