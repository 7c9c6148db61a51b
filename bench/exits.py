"""When processes end, told by the kernel through pidfds: nothing polls while an end is timed."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack, suppress

from datagrams import PATIENCE


def milliseconds_to_the_end(
    request: Callable[[], object], first: Collection[int], last: Collection[int]
) -> tuple[float, float]:
    """Call `request`; until all of `first` have ended, and until these and all of `last` have."""
    with ExitStack() as stack:
        first_fds, last_fds = exit_fds(stack, first), exit_fds(stack, last)
        began = time.monotonic_ns()
        request()
        wait_for(first_fds)
        gone = time.monotonic_ns()
        wait_for(last_fds)
        return (gone - began) / 1e6, (time.monotonic_ns() - began) / 1e6


def exit_fds(stack: ExitStack, pids: Collection[int]) -> list[int]:
    """Open until `stack` closes; a process that has been reaped already needs none."""
    opened = []
    for pid in pids:
        with suppress(ProcessLookupError):
            opened.append(os.pidfd_open(pid))
            stack.callback(os.close, opened[-1])
    return opened


def wait_for(exits: Collection[int]) -> None:
    """Raises TimeoutError if one of them goes on."""
    for exit_fd in exits:
        if not select.select([exit_fd], [], [], PATIENCE)[0]:
            raise TimeoutError(f"a process did not end within {PATIENCE} s")
