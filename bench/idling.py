"""The measurements (d): what a launcher's own processes use while 50 services run and nothing happens."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
from figures import Case, Figure
from launchers import Launcher
from turns import in_turn

SERVICES = 50
IDLE_SECONDS = 10
SETTLE_SECONDS = 2.0


def idle(launcher: Launcher) -> Iterator[Figure]:
    launcher.start(SERVICES)
    launcher.stage.events.all_ready(SERVICES)
    time.sleep(SETTLE_SECONDS)
    own = launcher.own_processes()
    cpu, switches = cpu_seconds(own), voluntary_switches(own)
    time.sleep(IDLE_SECONDS)
    used = {
        "CPU": ((cpu_seconds(own) - cpu) * 1000, "ms"),
        "voluntary switches": (voluntary_switches(own) - switches, ""),
        "memory (PSS)": (sum(process.memory_full_info().pss for process in own) / 2**20, "MiB"),
    }
    for what, (value, unit) in used.items():
        yield Figure("d", f"idle {IDLE_SECONDS} s, {SERVICES} services: {what}", launcher.name, value, unit)
    launcher.stop()


def cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    return sum(nanoseconds_run(process.pid) for process in processes) / 1e9


def nanoseconds_run(pid: int) -> int:
    """On a CPU so far, by the scheduler's clock: the ticks in /proc/PID/stat are too coarse for idling."""
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads(pid))


def voluntary_switches(processes: Sequence[psutil.Process]) -> int:
    """Of all threads; psutil gives the first one's only."""
    return sum(thread_switches(thread) for process in processes for thread in threads(process.pid))


def thread_switches(thread: Path) -> int:
    for line in (thread / "status").read_text().splitlines():
        if line.startswith("voluntary_ctxt_switches:"):
            return int(line.split()[1])
    raise OSError(f"{thread}/status tells no context switches")


def threads(pid: int) -> list[Path]:
    return list(Path(f"/proc/{pid}/task").iterdir())


CASES = (Case("d", in_turn(idle), every=3, peers=True),)
