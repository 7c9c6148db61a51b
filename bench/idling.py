"""The measurements (d): what a launcher's own processes use while 50 services run and nothing happens."""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil
from figures import Case, Figure
from launchers import Launcher
from turns import in_turn

SERVICES = 50
IDLE_SECONDS = 10
LIBC = ctypes.CDLL(None, use_errno=True)


def idle(launcher: Launcher) -> Iterator[Figure]:
    launcher.start(SERVICES)
    launcher.stage.events.all_ready(SERVICES)
    time.sleep(launcher.settles_in)
    own = launcher.own_processes()
    cpu, switches = cpu_seconds(own), voluntary_switches(own)
    time.sleep(IDLE_SECONDS)
    used = {
        "CPU": ((cpu_seconds(own) - cpu) * 1000, "ms"),
        "voluntary switches": (switches_since(switches, voluntary_switches(own)), ""),
        "memory (PSS)": (sum(process.memory_full_info().pss for process in own) / 2**20, "MiB"),
    }
    for what, (value, unit) in used.items():
        if value is None:
            print(
                f"\n{launcher.name} has no figure of {what}: a thread of it ended meanwhile", file=sys.stderr
            )
        else:
            what = f"idle {IDLE_SECONDS} s, {SERVICES} services: {what}"
            yield Figure("d", what, launcher.name, value, unit)
    launcher.stop()


def cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    return sum(nanoseconds_run(process.pid) for process in processes) / 1e9


def nanoseconds_run(pid: int) -> int:
    """On a CPU so far, by the process's own clock: to the nanosecond, where /proc/PID/stat counts ticks of
    ten milliseconds, and with the threads that have ended, which /proc/PID/task has forgotten."""
    clock = ctypes.c_int()
    if failure := LIBC.clock_getcpuclockid(pid, ctypes.byref(clock)):
        raise OSError(failure, f"no clock of process {pid}")
    return time.clock_gettime_ns(clock.value)


def voluntary_switches(processes: Sequence[psutil.Process]) -> dict[Path, int]:
    """Of each thread; psutil gives the first one's only."""
    return {thread: thread_switches(thread) for process in processes for thread in threads(process.pid)}


def switches_since(before: Mapping[Path, int], now: Mapping[Path, int]) -> int | None:
    """None where a thread has ended: its count went with it."""
    if before.keys() - now.keys():
        return None
    return sum(now.values()) - sum(before.values())


def thread_switches(thread: Path) -> int:
    for line in (thread / "status").read_text().splitlines():
        if line.startswith("voluntary_ctxt_switches:"):
            return int(line.split()[1])
    raise OSError(f"{thread}/status tells no context switches")


def threads(pid: int) -> list[Path]:
    return list(Path(f"/proc/{pid}/task").iterdir())


CASES = (Case("d", in_turn(idle), every=3, peers=True),)
