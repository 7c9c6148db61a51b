"""Starts guarded supervisors that do what a test tells them: nursery.py SOCKET.

Every supervisor is forked from here, so that starting one costs a fork and not Python's start. It speaks
as `puppet.py` does: it connects to SOCKET, introduces itself and answers commands. It is put together from
the project's own parts: guard, claims, spawn, forest, stop and shields; only when they act is the test's.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from claims import instance_record, plan, pool  # noqa: E402

from supervisor.clock import MonotonicClock  # noqa: E402
from supervisor.config.model import ShieldMode, Stop  # noqa: E402
from supervisor.errors import PortsupError  # noqa: E402
from supervisor.platform import os_facts  # noqa: E402
from supervisor.ports import reserve as reserving  # noqa: E402
from supervisor.ports.lock import LockFolder  # noqa: E402
from supervisor.ports.prune import prune, unlink_dead  # noqa: E402, F401 - the guard's, imported once
from supervisor.ports.reserve import (  # noqa: E402
    InstanceClaim,
    Reservation,
    claim_instance,
    reserve,
    reserve_again,
)
from supervisor.ports.shield import Shield, by_port  # noqa: E402
from supervisor.process import stop, sweep  # noqa: E402, F401
from supervisor.process.child import Child  # noqa: E402
from supervisor.process.guard import GuardLink, guarded  # noqa: E402
from supervisor.process.reap import Forest  # noqa: E402
from supervisor.process.spawn import ChildSpec, marker, spawn  # noqa: E402
from supervisor.supervise.run import adopt_strays  # noqa: E402

PUPPET = Path(__file__).parent / "puppet.py"
STOP = Stop(timeout=5.0)
LOOK_EVERY = 0.002
"""Seconds."""

reserving.LOOKS = 3  # nobody is on the move while a claim is made here: the patience is for others' tests


class Wire:
    """The connection with the test."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
        self._lines = self._socket.makefile("r")
        self.path = path

    def fileno(self) -> int:
        return self._socket.fileno()

    def say(self, answer: Any) -> None:
        self._socket.sendall(json.dumps(answer).encode() + b"\n")

    def read(self) -> list[Any] | None:
        """The next command; None at the end. The test waits for each answer: no line is read ahead."""
        line = self._lines.readline()
        return json.loads(line) if line else None

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


@dataclass
class Unit:
    name: str
    held: Reservation | None
    child: Child | None = None


class Instance:
    """A supervisor without an event loop."""

    def __init__(self, wire: Wire, link: GuardLink, folder: str, name: str) -> None:
        self.wire = wire
        self.link = link
        self.folder = LockFolder.open(Path(folder))
        self.clock = MonotonicClock()
        self.record = instance_record(instance_id=name)
        self.forest = Forest(name)
        self.claimed: InstanceClaim | None = None
        self.units: dict[str, Unit] = {}
        self.over = False

    def serve(self) -> int:
        """Until it is told to end by the guard, by the guard's death, or by the test's."""
        poll = select.poll()
        poll.register(self.wire, select.POLLIN)
        poll.register(self.link.commands_fd, select.POLLIN)
        while not self.over:
            ready = {fd for fd, _ in poll.poll()}
            self.reap()
            if self.link.commands_fd in ready:
                break
            command = self.wire.read()
            if command is None:
                break
            self.wire.say(self.obey(*command))
        self.end()
        self.link.report_finished()
        return 0

    def obey(self, command: str, *arguments: Any) -> Any:
        try:
            return getattr(self, command)(*arguments)
        except PortsupError as error:
            self.over = command == "claim"
            return error.to_json()

    def claim(self, number: int, base_port: int, wants: Mapping[str, Sequence[int]]) -> Any:
        """The port of each service, and the identity of every lock file."""
        self.record = instance_record(
            instance=number, base_port=base_port, instance_id=self.record.instance_id
        )
        self.claimed = claim_instance(self.folder, self.record)
        for held in reserve(plan(wants, number), self.record, self.folder, self.clock):
            self.units[held.service] = Unit(held.service, held)
        return {unit.name: unit.held.port for unit in self.units.values() if unit.held}

    def again(self, service: str, ports: Sequence[int]) -> Any:
        """Claim a port for a service that has given back its own."""
        unit = self.units[service]
        unit.held = reserve_again(service, pool(*ports), self.record, self.folder, self.clock)
        return unit.held.port

    def spawn(self, service: str, name: str) -> Any:
        """A new child; what was left of the last one's tree is ended first."""
        unit = self.units[service]
        assert unit.held is not None and self.claimed is not None
        self.end_tree(unit)
        spec = ChildSpec(
            unit=marker(self.record.instance_id, service),
            argv=(sys.executable, "-I", "-S", str(PUPPET), self.wire.path, name),
            shell=False,
            cwd=self.folder.path,
            env={"PORT": str(unit.held.port)},
            inherit=(self.claimed.lock.fd, unit.held.lock.fd),
        )
        unit.child = spawn(spec)
        status = os.fstat(unit.held.lock.fd)
        self.forest.plant(service, unit.child, [(status.st_dev, status.st_ino)])
        unit.held.name_child(unit.child.owner)
        return unit.child.owner.pid

    def see(self) -> Any:
        """Look at the tree, as a supervisor does now and then: it is how it knows ancestors."""
        return sorted(process.pid for found in self.forest.look().values() for process in found)

    def look(self, service: str) -> Any:
        """Two looks of the shield; whether it is lost. Then the unit is stopped."""
        unit = self.units[service]
        assert unit.held is not None
        shield = Shield(unit.held, ShieldMode.TREE, partial(self.tree, unit))
        for _ in range(2):
            shield.look(by_port(os_facts.listeners()))
        if shield.state == "lost":
            self.stop(service)
        return shield.state

    def tree(self, unit: Unit) -> list[int]:
        return [process.pid for process in self.forest.members(unit.name)]

    def intact(self) -> Any:
        """For each lock by its file's name, what is wrong with it."""
        locks = [unit.held.lock for unit in self.units.values() if unit.held]
        locks += [self.claimed.lock] if self.claimed else []
        return {lock.path.name: lock.intact() for lock in locks}

    def stop(self, service: str) -> Any:
        """Stop a unit's tree, and then give back its port."""
        unit = self.units[service]
        assert unit.held is not None
        self.end_tree(unit)
        unit.held.lock.give_back()
        unit.held = None
        return "stopped"

    def end_tree(self, unit: Unit) -> None:
        if unit.child is None or unit.held is None:
            return
        adopt_strays(self.forest, unit.name, [unit.held.port])
        stop.ask(unit.child, self.forest, unit.name, STOP)
        deadline = self.clock.now() + STOP.timeout
        while stop.remaining(unit.child, self.forest, unit.name, STOP.mode):
            if self.clock.now() > deadline:
                stop.kill(unit.child, self.forest, unit.name, STOP.mode)
            time.sleep(LOOK_EVERY)
            self.reap()
        unit.child.close()
        unit.child = None

    def reap(self) -> None:
        children = [unit.child for unit in self.units.values() if unit.child]
        for child in children:
            child.poll()
        self.forest.reap_orphans(frozenset(child.owner.pid for child in children if not child.reaped))

    def end(self) -> None:
        """The orderly stop."""
        for unit in self.units.values():
            if unit.held is not None:
                self.stop(unit.name)
        while strays := self.forest.members(None):
            for stray in strays:
                os_facts.send_signal(stray.owner, signal.SIGKILL)
            time.sleep(LOOK_EVERY)
            self.reap()
        if self.claimed is not None:
            self.claimed.lock.give_back()


def supervise(path: str, folder: str, name: str, link: GuardLink) -> int:
    wire = Wire(path)
    instance = Instance(wire, link, folder, name)
    wire.say({"name": name, "pid": os.getpid(), "guard": os.getppid()})
    return instance.serve()


def start(nursery: Wire, folder: str, name: str) -> None:
    """Fork a guard, which forks its supervisor."""
    if os.fork():
        return
    path = nursery.path
    nursery.close()
    os.setsid()
    body: Callable[[GuardLink], int] = partial(supervise, path, folder, name)
    os._exit(guarded(body, Path(folder)))


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no zombies
    nursery = Wire(sys.argv[1])
    nursery.say({"name": "nursery", "pid": os.getpid()})
    while command := nursery.read():
        start(nursery, *command)


main()
