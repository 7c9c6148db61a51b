"""What is measured, behind one contract, and the two that always are: portsup, and a bare loop of Popen."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from datagrams import Events
from exits import milliseconds_to_the_end
from harness import Home, port_block, private_home, write_stack
from interruption import HeldBack

from supervisor import paths

HERE = Path(__file__).parent
STACK = "bench"
PORTSUP = str(Path(sys.executable).with_name("portsup"))
AT_ONCE = {"initial": "0ms", "max": "0ms", "limit": 1_000_000}


@dataclass(frozen=True)
class Stage:
    """What one run has to itself: folders, ports, and ears for its services."""

    home: Home
    first_port: int
    server: tuple[str, ...]
    """The tiny server's command."""
    events: Events

    @property
    def environ(self) -> dict[str, str]:
        """Python's own variables are left out: one that forbids .pyc files would slow every start."""
        clean = {name: value for name, value in self.home.environ.items() if not name.startswith("PYTHON")}
        return {**clean, "HOME": str(self.home.folder), "BENCH_NOTIFY": str(self.events.port)}


@contextmanager
def stage(server: tuple[str, ...]) -> Iterator[Stage]:
    """Ends what still runs there when it is left, and lets no signal keep it from that."""
    held_back = HeldBack()
    with ExitStack() as parts:
        parts.callback(held_back.end)
        home, port = parts.enter_context(private_home()), parts.enter_context(port_block())
        events = parts.enter_context(Events())
        parts.callback(held_back.begin)
        yield Stage(home, port, server, events)


TO_LOG = "to the log"
TO_STDOUT = "prefixed, to stdout"


class Launcher:
    """One run of a launcher: started once, stopped once."""

    name = ""
    is_peer = False
    """Somebody else's program: a failure of its is no failure of the measurement."""
    restarts = True
    has_status = True
    settles_in = 2.0
    """Seconds after which it idles: some wait one before they call a service started."""
    detaches = False
    """The command that starts it exits as soon as all are started."""
    prints: tuple[str, ...] = ()
    """Which of TO_LOG and TO_STDOUT its figures of `start_lines` count for."""
    lines = 1_000_000
    """For `start_lines`: fewer where that many would take a minute."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.output = stage.home.folder / "output"
        """What the launcher itself prints."""
        self.printed = [self.output]
        """Where the output of the service of `start_lines` goes to."""
        self._spawned: list[subprocess.Popen[bytes]] = []

    @property
    def environ(self) -> dict[str, str]:
        return self.stage.environ

    def start(self, count: int) -> None:
        """Start services on as many ports, from the stage's first one on."""
        raise NotImplementedError

    def start_lines(self) -> None:
        """Start one service that prints `lines` lines."""
        raise NotImplementedError

    def status(self) -> Sequence[str]:
        """Its command that shows how all services are."""
        raise NotImplementedError

    def status_as_json(self) -> Sequence[str] | None:
        return None

    def stop(self) -> tuple[float, float]:
        """Ask it to end; milliseconds until the last service is gone, and until all of it is gone."""
        if self.detaches:
            self.process.wait()
        own = [process.pid for process in self.own_processes()]
        took = milliseconds_to_the_end(self.request_stop, self.stage.events.pids, own)
        self.reap()
        return took

    def reap(self) -> None:
        """Once nothing of it runs any more."""
        for process in self._spawned:
            process.wait()

    def request_stop(self) -> None:
        """SIGTERM, where the launcher knows no better way. Doesn't wait."""
        self.process.terminate()

    def own_processes(self) -> list[psutil.Process]:
        """Those of the launcher: all that it started and that aren't services."""
        return [one for one in self.stage.home.processes() if one.pid not in self.stage.events.pids]

    def run(self, command: Sequence[str]) -> float:
        """Run a command of the launcher's to its end; returns milliseconds."""
        began = time.monotonic_ns()
        subprocess.run(
            command,
            cwd=self.stage.home.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
        )
        return (time.monotonic_ns() - began) / 1e6

    def _launch(self, command: Sequence[str]) -> None:
        with self.output.open("wb") as output:
            self.started_at = time.monotonic_ns()
            self.process = self._spawn(command, subprocess.DEVNULL, output.fileno())

    def _ask(self, command: Sequence[str]) -> None:
        """Like `run`, but `stop` waits for it."""
        self._spawn(command, subprocess.DEVNULL, subprocess.DEVNULL)

    def _spawn(self, command: Sequence[str], stdin: int, output: int) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            command,
            cwd=self.stage.home.folder,
            env=self.environ,
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._spawned.append(process)
        return process


class Bare(Launcher):
    name = "bare"
    prints = (TO_LOG, TO_STDOUT)

    def start(self, count: int) -> None:
        loop = [sys.executable, str(HERE / "bare_loop.py"), str(self.stage.first_port), str(count)]
        self._launch([*loop, *self.stage.server])

    def start_lines(self) -> None:
        log = self.stage.home.folder / "log"
        self.printed = [log]
        copy = [sys.executable, str(HERE / "bare_copy.py"), str(log)]
        self._launch([*copy, *self.stage.server, "lines", str(self.lines)])

    def status(self) -> Sequence[str]:
        return sys.executable, "-c", "pass"

    status_as_json = status


class Portsup(Launcher):
    name = "portsup"
    prints = (TO_STDOUT,)
    flags: tuple[str, ...] = ()

    def start(self, count: int) -> None:
        service = {"command": list(self.stage.server), "restart": "always", "backoff": AT_ONCE}
        self._up({f"s{n}": {**service, "pool": {"offset": n, "size": 1}} for n in range(count)})

    def start_lines(self) -> None:
        command = [*self.stage.server, "lines", str(self.lines)]
        file = self._up({"printer": {"command": command, "log": {"max_size": "1GB"}}})
        folder = paths.instance_folder(file, STACK, 1, self.stage.environ)
        log = paths.service_log(paths.log_folder(folder), "printer")
        self.printed = [log] if self.detaches else [log, self.output]

    def status(self) -> Sequence[str]:
        return PORTSUP, "status"

    def status_as_json(self) -> Sequence[str]:
        return PORTSUP, "status", "--json"

    def _up(self, services: dict[str, Any]) -> Path:
        """Start it; returns the services.toml that it was given."""
        file = write_stack(
            self.stage.home.folder, services, base_port=self.stage.first_port, name=STACK, stride=1000
        )
        self._launch([PORTSUP, "up", "--instance", "1", "--file", str(file), *self.flags])
        return file


class DetachedPortsup(Portsup):
    detaches = True
    prints = (TO_LOG,)
    flags = ("--detach",)

    def request_stop(self) -> None:
        self._ask([PORTSUP, "down"])
