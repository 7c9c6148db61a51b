"""The measurements (i): what the watcher costs, on a quiet machine and on a crowded one."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from figures import Case, Figure, Server, Turn, milliseconds
from idling import cpu_seconds
from launchers import Portsup, stage

PORTS = 100
CONNECTIONS = 2000
PROCESSES = 500
SETTLE_SECONDS = 12.0
"""Until the watcher has had its look at those who listen nowhere."""
WATCH_SECONDS = 10
"""Rounds, as the watcher makes one a second."""


def rounds_cost(server: Server, turn: Turn) -> Iterator[Figure]:
    """CPU that the supervisor of 100 idle services uses in a second, which is one round of its
    watcher and all else that it does then. Bare: one read of the kernel's tables in /proc."""
    del turn
    with stage(server) as run:
        launcher = Portsup(run)
        launcher.start(PORTS)
        run.events.all_ready(PORTS)
        time.sleep(SETTLE_SECONDS)
        yield from a_second(launcher, f"a round of the watcher, {PORTS} ports")
        with crowd():
            what = f"the same with {CONNECTIONS:,} connections and {PROCESSES} processes more"
            yield from a_second(launcher, what)
        launcher.stop()


def a_second(launcher: Portsup, what: str) -> Iterator[Figure]:
    own = [process for process in launcher.own_processes() if process.pid != launcher.process.pid]
    before = cpu_seconds(own)
    time.sleep(WATCH_SECONDS)
    used = (cpu_seconds(own) - before) / WATCH_SECONDS
    yield Figure("i", what, launcher.name, used * 1000, "ms")
    yield Figure("i", what, "bare", milliseconds(reading_proc()), "ms")


def reading_proc() -> int:
    began = time.monotonic_ns()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines():
            line.split()
    return time.monotonic_ns() - began


@contextmanager
def crowd() -> Iterator[None]:
    """Processes and established connections that are no business of the watcher's."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=128))
        for _ in range(CONNECTIONS):
            stack.enter_context(socket.create_connection(listener.getsockname()))
            stack.enter_context(listener.accept()[0])
        for _ in range(PROCESSES):
            process = subprocess.Popen(["sleep", "600"], start_new_session=True)
            stack.enter_context(process)
            stack.callback(process.kill)
        yield


CASES = (Case("i", rounds_cost, every=5),)
