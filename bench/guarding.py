"""The measurements (h): what a guard takes to end the tree of a killed supervisor, and what it costs."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

import psutil
from exits import milliseconds_to_the_end
from figures import Case, Figure, Server, Turn
from launchers import Launcher, Portsup, Stage, stage

STUBBORN = (sys.executable, "-E", "-s", "-S", str(Path(__file__).with_name("stubborn.py")))
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
    gone, over = milliseconds_to_the_end(lambda: kill([supervisor]), [*tree, supervisor], [guard])
    launcher.process.wait()
    assert not run.home.lock_files(), run.home.lock_files()
    return gone, over


def kill_all(launcher: Launcher, tree: Collection[int]) -> tuple[float, float]:
    loop = launcher.process.pid
    gone, over = milliseconds_to_the_end(lambda: kill([loop, *tree]), tree, [loop])
    launcher.process.wait()
    return gone, over


def kill(pids: Collection[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


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
