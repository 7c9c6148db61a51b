"""The peers, each behind the same contract as portsup: its configuration, its start, its peculiarities."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import pty
import shlex
import sys
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import installing
from launchers import TO_LOG, TO_STDOUT, Launcher

Services = Mapping[str, Sequence[str]]
"""Name → command, with its port in it: peers that set PORT choose it themselves."""

PRINTER = "printer"


class Peer(Launcher):
    is_peer = True

    def start(self, count: int) -> None:
        first = self.stage.first_port
        self._start({f"s{n}": [*self.stage.server, str(first + n)] for n in range(count)})

    def start_lines(self) -> None:
        self._start({PRINTER: [*self.stage.server, "lines", str(self.lines)]})

    def _start(self, services: Services) -> None:
        raise NotImplementedError

    def _log(self, service: str) -> Path:
        return self._file(f"{service}.log")

    def _file(self, name: str) -> Path:
        return self.stage.home.folder / name

    @classmethod
    def _program(cls, name: str) -> str:
        return str(installing.folder(cls.name) / "bin" / name)

    @classmethod
    def _module(cls, path: str) -> str:
        return str(installing.folder(cls.name) / "node_modules" / path)


class Honcho(Peer):
    name = "honcho"
    restarts = False
    has_status = False
    prints = (TO_STDOUT,)
    lines = 100_000

    def _start(self, services: Services) -> None:
        lines = (f"{name}: {shlex.join(command)}\n" for name, command in services.items())
        self._file("Procfile").write_text("".join(lines))
        self._launch([self._program("honcho"), "start", "--no-colour"])


class Supervisord(Peer):
    """In one group, as it stops one group a second."""

    name = "supervisor"
    prints = (TO_LOG,)

    def _start(self, services: Services) -> None:
        group = f"[group:{GROUP}]\nprograms={','.join(services)}\n"
        sections = [SUPERVISORD, group, *(self._section(*service) for service in services.items())]
        self._file("supervisord.conf").write_text("\n".join(sections))
        self.printed = [self._log(PRINTER)]
        self._launch([self._program("supervisord"), "-c", "supervisord.conf"])

    def _section(self, name: str, command: Sequence[str]) -> str:
        return (
            f"[program:{name}]\ncommand={shlex.join(command)}\nautorestart=true\nredirect_stderr=true\n"
            f"stdout_logfile={self._log(name)}\nstdout_logfile_maxbytes=0\n"
        )

    def status(self) -> Sequence[str]:
        return self._program("supervisorctl"), "-c", "supervisord.conf", "status"


GROUP = "stack"
SUPERVISORD = """\
[unix_http_server]
file=./supervisor.sock

[supervisord]
nodaemon=true
logfile=./supervisord.log
pidfile=./supervisord.pid

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://./supervisor.sock
"""


class Circus(Peer):
    name = "circus"
    prints = (TO_LOG,)

    def _start(self, services: Services) -> None:
        sections = [
            f"[circus]\nendpoint = {self._endpoint}\npubsub_endpoint = ipc://{self._file('events.sock')}\n",
            *(self._section(*service) for service in services.items()),
        ]
        self._file("circus.ini").write_text("\n".join(sections))
        self.printed = [self._log(PRINTER)]
        self._launch([self._program("circusd"), "circus.ini"])

    def _section(self, name: str, command: Sequence[str]) -> str:
        streams = (
            f"{stream}_stream.class = FileStream\n{stream}_stream.filename = {self._log(name)}\n"
            for stream in ("stdout", "stderr")
        )
        return f"[watcher:{name}]\ncmd = {shlex.join(command)}\ncopy_env = True\n" + "".join(streams)

    @property
    def _endpoint(self) -> str:
        return f"ipc://{self._file('circus.sock')}"

    def status(self) -> Sequence[str]:
        return self._program("circusctl"), "--endpoint", self._endpoint, "status"


class Pm2(Peer):
    """Starts a daemon of its own for each PM2_HOME; stopped by the command that ends the daemon too."""

    name = "pm2"
    detaches = True
    prints = (TO_LOG,)

    @property
    def environ(self) -> dict[str, str]:
        return {**super().environ, "PM2_HOME": str(self._file("pm2"))}

    def _start(self, services: Services) -> None:
        apps = [self._app(*service) for service in services.items()]
        self._file("ecosystem.json").write_text(json.dumps({"apps": apps}))
        self.printed = [self._log(PRINTER)]
        self._launch([self._pm2, "start", "ecosystem.json", "--silent"])

    def _app(self, name: str, command: Sequence[str]) -> dict[str, object]:
        program, *arguments = command
        return {
            "name": name,
            "script": program,
            "args": arguments,
            "interpreter": "none",
            "out_file": str(self._log(name)),
            "error_file": str(self._log(name)),
            "merge_logs": True,
        }

    @property
    def _pm2(self) -> str:
        return self._module(".bin/pm2")

    def request_stop(self) -> None:
        self._ask([self._pm2, "kill"])

    def status(self) -> Sequence[str]:
        return self._pm2, "ls"

    def status_as_json(self) -> Sequence[str]:
        return self._pm2, "jlist"


class Mprocs(Peer):
    """Draws on a terminal, so it gets one; stopped through its control port, as SIGTERM ends it alone."""

    name = "mprocs"
    has_status = False
    settles_in = 12.0
    """A thread of its runtime that has nothing to do ends after ten."""
    prints = (TO_LOG,)
    lines = 100_000

    def _start(self, services: Services) -> None:
        procs = {name: {"cmd": list(command), "autorestart": True} for name, command in services.items()}
        self._file("mprocs.yaml").write_text(json.dumps({"server": self._address, "procs": procs}))
        self.printed = [self._log(PRINTER)]
        self._launch([self._mprocs, *(["--log-dir", "."] if PRINTER in services else [])])

    def _launch(self, command: Sequence[str]) -> None:
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (40, 120))
        threading.Thread(target=play_terminal, args=(ours,), daemon=True).start()
        self.started_at = time.monotonic_ns()
        self.process = self._spawn(command, theirs, theirs)
        os.close(theirs)

    @property
    def _address(self) -> str:
        """The last port of the block: services have the first ones."""
        return f"127.0.0.1:{self.stage.first_port + 999}"

    @property
    def _mprocs(self) -> str:
        """Itself, without the Node script that starts it."""
        (found,) = Path(self._module("mprocs")).glob(f"mprocs-*-linux-{platform.machine()}-musl/mprocs")
        return str(found)

    def request_stop(self) -> None:
        self._ask([self._mprocs, "--server", self._address, "--ctl", "{c: quit}"])


ANSWERS = {b"\x1b[6n": b"\x1b[1;1R", b"\x1b[c": b"\x1b[?62;22c"}
"""What a terminal says when it is asked where the cursor is, and what it can do."""


def play_terminal(descriptor: int) -> None:
    """Read all that is drawn, and answer what is asked, until nobody has the other side open any more."""
    with open(descriptor, "r+b", buffering=0) as terminal, contextlib.suppress(OSError):
        while drawn := terminal.read(1 << 16):
            for question, answer in ANSWERS.items():
                if question in drawn:
                    terminal.write(answer)


LAUNCHERS: tuple[type[Peer], ...] = (Honcho, Supervisord, Circus, Mprocs, Pm2)
NAMES = tuple(installing.VERSIONS)


def installed(names: Sequence[str]) -> list[str]:
    """Those of `names` that can be measured here, installed where they weren't; says which can't."""
    found = []
    for name in names:
        try:
            installing.install(name)
            found.append(name)
        except installing.CannotInstall as reason:
            print(f"{name} is left out: {reason}", file=sys.stderr)
    return found
