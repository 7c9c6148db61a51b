"""Real guards, supervisors and trees of processes that a test drives over a socket, one step at a time."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import wait_until

from supervisor.platform import os_facts
from supervisor.platform.contract import Owner

CHILDREN = Path(__file__).parent / "children"
PATIENCE = 60.0
"""Seconds for an answer, or for a process to be gone."""


class Actor:
    """A process at the other end of a connection."""

    def __init__(self, wire: socket.socket) -> None:
        wire.settimeout(PATIENCE)
        self._wire = wire
        self._lines = wire.makefile("r")
        self.hello = self.answer()
        owner = os_facts.owner(self.hello["pid"])
        assert owner is not None, self.hello
        self.owner = owner

    def tell(self, *command: Any) -> None:
        self._wire.sendall(json.dumps(command).encode() + b"\n")

    def answer(self) -> Any:
        line = self._lines.readline()
        assert line, "it ended instead of answering"
        return json.loads(line)

    def ask(self, *command: Any) -> Any:
        self.tell(*command)
        return self.answer()

    def close(self) -> None:
        self._lines.close()
        self._wire.close()


class Stage:
    """Where actors are waited for. Whoever was ever on it is gone when it is cleared."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "s"
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(self.path))
        self._server.listen(64)
        self._server.settimeout(PATIENCE)
        self._came: dict[str, Actor] = {}
        self._everyone: set[Owner] = set()
        self._actors: list[Actor] = []

    def expect(self, name: str) -> Actor:
        """The actor of that name, once it has introduced itself."""
        while name not in self._came:
            wire, _ = self._server.accept()
            actor = Actor(wire)
            self._actors.append(actor)
            self.know(actor.owner)
            self._came[actor.hello["name"]] = actor
        return self._came.pop(name)

    def know(self, owner: Owner) -> None:
        """One more to be ended with the rest."""
        self._everyone.add(owner)

    def clear(self) -> None:
        """End everyone who came here since the last time, each by pid and start time."""
        for owner in self._everyone:
            os_facts.send_signal(owner, signal.SIGKILL)
        for actor in self._actors:
            actor.close()
        gone(*self._everyone)
        self._turn_away()
        self._everyone.clear()
        self._actors.clear()
        self._came.clear()

    def keep(self) -> None:
        """Whoever is here now stays when it is cleared."""
        self._everyone.clear()
        self._actors.clear()

    def _turn_away(self) -> None:
        """Those who nobody waited for any more: they end with their connection."""
        self._server.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                self._server.accept()[0].close()
        self._server.settimeout(PATIENCE)

    def close(self) -> None:
        self.clear()
        self._server.close()


def gone(*owners: Owner) -> None:
    """Wait until none of them lives."""
    wait_until(lambda: not any(map(os_facts.is_alive, owners)), PATIENCE, f"the end of {owners}")


def kill(*owners: Owner) -> None:
    for owner in owners:
        os_facts.send_signal(owner, signal.SIGKILL)
    gone(*owners)


def freeze(owner: Owner) -> None:
    """Stop it, and wait until it stands still."""
    os_facts.send_signal(owner, signal.SIGSTOP)

    def stands() -> bool:
        process = os_facts.process(owner.pid)
        return process is not None and process.state == "T"

    wait_until(stands, PATIENCE, "a process to stand still")


class Nursery:
    """The process from which supervisors are forked, and a bystander that nobody may touch."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stage = Stage(folder)
        self.wire: Actor
        environ = {"PATH": "/usr/bin:/bin"}
        program = [sys.executable, str(CHILDREN / "nursery.py"), str(self.stage.path)]
        self._process = subprocess.Popen(program, env=environ)
        # It ends with its stdin, however this process ends.
        self._bystander = subprocess.Popen(
            ["cat"], stdin=subprocess.PIPE, env=environ, start_new_session=True
        )
        found = os_facts.owner(self._bystander.pid)
        assert found is not None
        self.bystander = found

    def start(self, folder: Path, name: str) -> Actor:
        """A guarded supervisor; it is the supervisor that answers."""
        self.wire.tell(str(folder), name)
        actor = self.stage.expect(name)
        guard = os_facts.owner(actor.hello["guard"])
        assert guard is not None
        self.stage.know(guard)
        return actor

    def close(self) -> None:
        for process in (self._process, self._bystander):
            process.kill()
            process.communicate()
        self.stage.close()


@contextlib.contextmanager
def nursery() -> Iterator[Nursery]:
    folder = Path(tempfile.mkdtemp(prefix="p", dir="/tmp"))
    opened = Nursery(folder)
    try:
        opened.wire = opened.stage.expect("nursery")
        opened.stage.keep()
        yield opened
    finally:
        opened.close()
        shutil.rmtree(folder, ignore_errors=True)
