"""The measurements (a)-(g). Each yields figures of one round, the launchers taking turns in it."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from datagrams import PATIENCE
from harness import Home
from launchers import Bare, DetachedPortsup, Launcher, Portsup, Stage, stage

from supervisor.platform import os_facts
from supervisor.ports.lock import HeldLock, take
from supervisor.records import PortRecord, port_file

KILLS = 10
IDLE_SECONDS = 10.0
SETTLE_SECONDS = 2.0
LINES = 1_000_000
LINE = 80
END = b"end of lines\n"
COLD_STARTS = 5


@dataclass(frozen=True)
class Figure:
    case: str
    what: str
    launcher: str
    """portsup, or bare: the loop, or what else is named in `what`."""
    value: float
    unit: str


Server = tuple[str, ...]
Turn = Sequence[type[Launcher]]
Measure = Callable[[Server, Turn], Iterator[Figure]]


def milliseconds(nanoseconds: float) -> float:
    return nanoseconds / 1e6


def up_and_down(count: int) -> Measure:
    """(a) from the start of the launcher to the last service accepting, and (b) from the request to
    stop to the launcher's exit."""

    def measure(server: Server, turn: Turn) -> Iterator[Figure]:
        for kind in turn:
            with stage(server) as run:
                launcher = kind(run)
                launcher.start(count)
                ready = run.events.all_ready(count)
                up = max(event.at for event in ready.values()) - launcher.started_at
                check_all_accept(run, count)
                yield Figure("a", f"up, {count} services", kind.name, milliseconds(up), "ms")
                down = milliseconds(launcher.stop())
                yield Figure("b", f"SIGTERM to exit, {count} services", kind.name, down, "ms")
                if kind is Bare:
                    yield Figure("b", f"`portsup down`, {count} services", kind.name, down, "ms")
        with stage(server) as run:
            detached = DetachedPortsup(run)
            detached.start(count)
            run.events.all_ready(count)
            down = milliseconds(detached.stop())
            yield Figure("b", f"`portsup down`, {count} services", detached.name, down, "ms")

    return measure


def check_all_accept(run: Stage, count: int) -> None:
    for port in range(run.first_port, run.first_port + count):
        socket.create_connection(("127.0.0.1", port), timeout=5).close()


def restart(server: Server, turn: Turn) -> Iterator[Figure]:
    """(c) from kill -9 of a service to its replacement accepting, without a backoff."""
    for kind in turn:
        with stage(server) as run:
            launcher = kind(run)
            launcher.start(5)
            ready = run.events.all_ready(5)
            for round_ in range(KILLS):
                port = run.first_port + round_ % 5
                time.sleep(0.1)  # apart, so that each kill is measured alone
                killed_at = time.monotonic_ns()
                os.kill(ready[port].pid, signal.SIGKILL)
                successor = run.events.next("ready")
                assert successor.port == port and successor.pid != ready[port].pid, (
                    "another service restarted"
                )
                ready[port] = successor
                took = milliseconds(successor.at - killed_at)
                yield Figure("c", "kill -9 to the next one accepting", kind.name, took, "ms")
            launcher.stop()


def idle(server: Server, turn: Turn) -> Iterator[Figure]:
    """(d) what the launcher's own processes use while 50 services run and nothing happens."""
    for kind in turn:
        with stage(server) as run:
            launcher = kind(run)
            launcher.start(50)
            run.events.all_ready(50)
            time.sleep(SETTLE_SECONDS)
            own = launcher.own_processes()
            before = cpu_seconds(own)
            time.sleep(IDLE_SECONDS)
            used = (cpu_seconds(own) - before) / IDLE_SECONDS
            memory = sum(process.memory_full_info().uss for process in own) / 2**20
            yield Figure("d", "idle CPU, 50 services", kind.name, used * 1000, "ms/s")
            yield Figure("d", "own memory (USS), 50 services", kind.name, memory, "MiB")
            launcher.stop()


def cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    return sum(nanoseconds_run(process.pid) for process in processes) / 1e9


def nanoseconds_run(pid: int) -> int:
    """On a CPU so far, by the scheduler's clock: the ticks in /proc/PID/stat are too coarse for idling."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads)


def lines(server: Server, turn: Turn) -> Iterator[Figure]:
    """(e) from the first of a million lines of a service to the last one in the launcher's log file."""
    log_only, prefixed = f"{LINES:,} lines to the log", f"{LINES:,} lines to the log and, prefixed, to stdout"
    runs = [(Bare, log_only), (DetachedPortsup, log_only), (Bare, prefixed), (Portsup, prefixed)]
    for kind, what in runs if turn[0] is Bare else reversed(runs):
        with stage(server) as run:
            launcher = kind(run)
            launcher.start_lines(LINES)
            began = run.events.next("begin").at
            run.events.next("done")
            wait_for_end_of(launcher.log)
            if kind is Portsup:
                wait_for_end_of(launcher.output)
            took = time.monotonic_ns() - began
            written = launcher.log.stat().st_size
            assert written == LINES * LINE + len(END), f"{written} bytes are in the log"
            yield Figure("e", what, kind.name, took / 1e9, "s")
            launcher.stop()


def wait_for_end_of(file: Path) -> None:
    """The only place that polls: what is left to be written then fits into a pipe."""
    deadline = time.monotonic() + PATIENCE
    while END not in tail(file):
        if time.monotonic() > deadline:
            raise TimeoutError("the log does not become complete")
        time.sleep(0.0005)


def tail(file: Path) -> bytes:
    with file.open("rb") as opened:
        opened.seek(max(0, file.stat().st_size - 4096))
        return opened.read()


def cold_commands(server: Server, turn: Turn) -> Iterator[Figure]:
    """(f) a whole `portsup status` with five services up, beside an interpreter that does nothing."""
    del turn
    with stage(server) as run:
        launcher = DetachedPortsup(run)
        launcher.start(5)
        run.events.all_ready(5)
        for _ in range(COLD_STARTS):
            nothing = milliseconds(nanoseconds_of_nothing(run))
            for command in (("status",), ("status", "--json")):
                what = f"`portsup {' '.join(command)}`, beside `python -c pass`"
                yield Figure("f", what, launcher.name, milliseconds(launcher.run(*command)), "ms")
                yield Figure("f", what, "bare", nothing, "ms")
        launcher.stop()


def nanoseconds_of_nothing(run: Stage) -> int:
    began = time.monotonic_ns()
    subprocess.run([sys.executable, "-c", "pass"], env=run.environ, capture_output=True, check=True)
    return time.monotonic_ns() - began


def locks(server: Server, turn: Turn) -> Iterator[Figure]:
    """(g) claiming a lock, writing its record and giving it back, beside bare open, flock, unlink."""
    what = "claim + release of a lock, beside flock alone"
    with stage(server) as run:
        record = sample_record(run.home, run.first_port)
        path = port_file(run.home.folder, run.first_port)
        for kind in turn:
            ours, bare = lambda: claim_and_release(path, record), lambda: flock_and_unlink(path)
            yield Figure("g", what, kind.name, per_second(bare if kind is Bare else ours), "1/s")


def per_second(action: Callable[[], None]) -> float:
    count, began = 0, time.monotonic()
    while (took := time.monotonic() - began) < 1.0:
        action()
        count += 1
    return count / took


def claim_and_release(path: Path, record: PortRecord) -> None:
    lock = take(path)
    assert isinstance(lock, HeldLock)
    lock.write(record)
    lock.give_back()


def flock_and_unlink(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    path.unlink()
    os.close(descriptor)


def sample_record(home: Home, port: int) -> PortRecord:
    owner = os_facts.owner(os.getpid())
    assert owner is not None
    return PortRecord(
        stack="bench",
        config=str(home.folder / "services.toml"),
        instance=1,
        instance_id="bench-1-000000",
        supervisor=owner,
        uid=os.getuid(),
        boot_id=os_facts.boot_id(),
        pidns=os_facts.pid_namespace(),
        netns=os_facts.net_namespace(),
        acquired_at=time.time(),
        port=port,
        pool="port",
        service="s0",
        child=None,
    )


@dataclass(frozen=True)
class Case:
    letters: str
    measure: Measure
    every: int = 1
    """Takes part in each so manieth round only."""


CASES = (
    Case("ab", up_and_down(5)),
    Case("ab", up_and_down(50)),
    Case("c", restart),
    Case("d", idle, every=3),
    Case("e", lines, every=2),
    Case("f", cold_commands),
    Case("g", locks),
)
