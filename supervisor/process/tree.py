"""Who is below a process, and waiting for adopted children. Light: the guard lives on it."""

from __future__ import annotations

import os
from collections.abc import Container, Iterator

from supervisor.platform import os_facts
from supervisor.platform.contract import Process


def children_until_stable(pid: int) -> Iterator[int]:
    """The children of subreaper `pid`; the list is read again until it holds nobody new.

    Whoever loses its parent while the caller walks the tree comes to the list's end. So a walk along
    this list that meets nobody alive means that nobody is left: a parent that is seen dead had handed
    its children up before.
    """
    passed: set[int] = set()
    while new := [child for child in os_facts.children(pid) if child not in passed]:
        passed.update(new)
        yield from new


def with_descendants(pid: int) -> Iterator[Process]:
    """`pid` and everyone below it as it is now, zombies too."""
    waiting = [pid]
    while waiting:
        process = os_facts.process(waiting.pop())
        if process is not None:
            yield process
            waiting.extend(os_facts.children(process.pid))


def reap_children(spared: Container[int]) -> None:
    """Wait for our dead children, each by its pid, save `spared`."""
    for pid in os_facts.children(os.getpid()):
        if pid not in spared:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass  # somebody was faster
