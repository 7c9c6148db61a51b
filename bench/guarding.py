"""The measurements (h): what a guard takes to end the tree of a killed supervisor, and what it costs."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
from datagrams import PATIENCE
from launchers import Launcher, Portsup, Stage, stage
from measures import Case, Figure, Server, Turn, milliseconds

STUBBORN = (sys.executable, "-I", "-S", str(Path(__file__).with_name("stubborn.py")))
SERVICES = 5
RUNS = 30


def supervisors_death(server: Server, turn: Turn) -> Iterator[Figure]:
    """From SIGKILL to the supervisor of five stubborn services until none of their ten processes is
    left, and until the guard has removed the locks and exited. Bare: SIGKILL to the same processes."""
    del server
    for _ in range(RUNS):
        for kind in turn:
            with stage(STUBBORN) as run:
                launcher = kind(run)
                launcher.start(SERVICES)
                tree = tree_of(run)
                gone, over = (
                    kill_supervisor(run, launcher, tree) if kind is Portsup else kill_all(launcher, tree)
                )
                yield Figure("h", "kill -9 of the supervisor to no process left", kind.name, gone, "ms")
                yield Figure("h", "kill -9 of the supervisor to locks and guard gone", kind.name, over, "ms")


def tree_of(run: Stage) -> set[int]:
    """Pids of all listeners and workers, once all are there."""
    found: dict[str, set[int]] = {"ready": set(), "worker": set()}
    while min(map(len, found.values())) < SERVICES:
        event = run.events.any()
        found[event.kind].add(event.pid)
    return found["ready"] | found["worker"]


def kill_supervisor(run: Stage, launcher: Launcher, tree: Collection[int]) -> tuple[float, float]:
    guard = launcher.process.pid
    (supervisor,) = (process.pid for process in launcher.own_processes() if process.pid != guard)
    gone, over = milliseconds_to_the_end([supervisor], [*tree, supervisor], [guard])
    launcher.process.wait()
    assert not run.home.lock_files(), run.home.lock_files()
    return gone, over


def kill_all(launcher: Launcher, tree: Collection[int]) -> tuple[float, float]:
    loop = launcher.process.pid
    gone, over = milliseconds_to_the_end([loop, *tree], tree, [loop])
    launcher.process.wait()
    return gone, over


def milliseconds_to_the_end(
    victims: Collection[int], first: Collection[int], last: Collection[int]
) -> tuple[float, float]:
    """SIGKILL `victims`; when have all of `first` ended, and when these and all of `last`?"""
    with ExitStack() as stack:
        waiting = {pid: open_exit_fd(stack, pid) for pid in (*first, *last)}
        began = time.monotonic_ns()
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        wait_for([waiting[pid] for pid in first])
        gone = time.monotonic_ns()
        wait_for([waiting[pid] for pid in last])
        return milliseconds(gone - began), milliseconds(time.monotonic_ns() - began)


def open_exit_fd(stack: ExitStack, pid: int) -> int:
    descriptor = os.pidfd_open(pid)
    stack.callback(os.close, descriptor)
    return descriptor


def wait_for(exit_fds: Collection[int]) -> None:
    """Raises TimeoutError if one of them goes on."""
    for exit_fd in exit_fds:
        if not select.select([exit_fd], [], [], PATIENCE)[0]:
            raise TimeoutError(f"a process did not end within {PATIENCE} s")


def guards_memory(server: Server, turn: Turn) -> Iterator[Figure]:
    """What of the guard's memory is its own (USS). Bare: the whole loop's."""
    for kind in turn:
        with stage(server) as run:
            launcher = kind(run)
            launcher.start(SERVICES)
            run.events.all_ready(SERVICES)
            memory = psutil.Process(launcher.process.pid).memory_full_info().uss / 2**20
            yield Figure("h", "the guard's own memory (USS)", kind.name, memory, "MiB")
            launcher.stop()


CASES = (Case("h", supervisors_death, every=5), Case("h", guards_memory))
