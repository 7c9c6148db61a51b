"""The two that are compared: portsup, and a bare loop of subprocess.Popen."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from datagrams import PATIENCE, Events
from harness import MARKER, Home, port_block, private_home, write_stack

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
        return {**clean, "BENCH_NOTIFY": str(self.events.port)}


@contextmanager
def stage(server: tuple[str, ...]) -> Iterator[Stage]:
    with private_home() as home, port_block() as port, Events() as events:
        yield Stage(home, port, server, events)


class Launcher:
    """One run of a launcher: started once, stopped once."""

    name = ""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.output = stage.home.folder / "output"
        """What the launcher itself prints."""
        self.log = stage.home.folder / "log"
        """Where the output of the service of `start_lines` goes."""

    def start(self, count: int) -> None:
        raise NotImplementedError

    def start_lines(self, lines: int) -> None:
        raise NotImplementedError

    def stop(self) -> int:
        """Ask it to end with SIGTERM; returns nanoseconds until it has exited."""
        began = time.monotonic_ns()
        self.process.terminate()
        self._wait_for_exit()
        return time.monotonic_ns() - began

    def own_processes(self) -> list[psutil.Process]:
        """Those of the launcher, without the services."""
        return [psutil.Process(self.process.pid)]

    def _launch(self, command: Sequence[str]) -> None:
        with self.output.open("wb") as output:
            self.started_at = time.monotonic_ns()
            self.process = subprocess.Popen(
                command,
                env=self.stage.environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _wait_for_exit(self) -> None:
        """Raises TimeoutError. Not Popen.wait(timeout), which looks only now and then."""
        exit_fd = os.pidfd_open(self.process.pid)
        try:
            if not select.select([exit_fd], [], [], PATIENCE)[0]:
                raise TimeoutError(f"{self.name} did not end within {PATIENCE} s")
        finally:
            os.close(exit_fd)
        self.process.wait()


class Bare(Launcher):
    name = "bare"

    def start(self, count: int) -> None:
        loop = [sys.executable, str(HERE / "bare_loop.py"), str(self.stage.first_port), str(count)]
        self._launch([*loop, *self.stage.server])

    def start_lines(self, lines: int) -> None:
        copy = [sys.executable, str(HERE / "bare_copy.py"), str(self.log)]
        self._launch([*copy, *self.stage.server, str(lines)])


class Portsup(Launcher):
    name = "portsup"
    flags: tuple[str, ...] = ()

    def start(self, count: int) -> None:
        service = {"command": list(self.stage.server), "restart": "always", "backoff": AT_ONCE}
        self._up({f"s{n}": {**service, "pool": {"offset": n, "size": 1}} for n in range(count)})

    def start_lines(self, lines: int) -> None:
        file = self._up({"printer": {"command": [*self.stage.server, str(lines)]}})
        folder = paths.instance_folder(file, STACK, 1, self.stage.environ)
        self.log = paths.service_log(paths.log_folder(folder), "printer")

    def run(self, *arguments: str) -> int:
        """Run another portsup command to its end; returns nanoseconds."""
        began = time.monotonic_ns()
        command = [PORTSUP, *arguments]
        folder = self.stage.home.folder
        subprocess.run(command, cwd=folder, env=self.stage.environ, capture_output=True, check=True)
        return time.monotonic_ns() - began

    def own_processes(self) -> list[psutil.Process]:
        return [process for process in self.stage.home.processes() if MARKER not in process.environ()]

    def _up(self, services: dict[str, Any]) -> Path:
        """Start it; returns the services.toml that it was given."""
        file = write_stack(
            self.stage.home.folder, services, base_port=self.stage.first_port, name=STACK, stride=1000
        )
        self._launch([PORTSUP, "up", "--instance", "1", "--file", str(file), *self.flags])
        return file


class DetachedPortsup(Portsup):
    flags = ("--detach",)

    def stop(self) -> int:
        self._wait_for_exit()
        return self.run("down")
