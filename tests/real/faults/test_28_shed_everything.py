"""Fault 28: children with an empty environment, or without descriptors, each with a daemonised worker.

Both told and ended by `down`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from harness import Escapee, Home, Portsup, assert_nothing_left, escapee, kill_both, wait_until, write_stack

NO_ENVIRONMENT = ("--empty-env",)
NO_DESCRIPTORS = ("--close", "--leader-closes")
NEITHER = (*NO_ENVIRONMENT, *NO_DESCRIPTORS)

SERVES = ("--leader-exits", "--listen", "${port}")
"""The worker is the service: it listens on the port, and its first process ends."""

CASES: dict[str, tuple[str, ...]] = {
    "env": NO_ENVIRONMENT,
    "closed": NO_DESCRIPTORS,
    "neither": NEITHER,
    "env-serves": (*NO_ENVIRONMENT, *SERVES),
    "closed-serves": (*NO_DESCRIPTORS, *SERVES),
    "neither-serves": (*NEITHER, *SERVES),
}
"""Service → what leader and worker shed. The worker is an orphan in a session of its own."""

OF_NO_UNIT = {"neither"}
"""Its worker has nothing by which its unit could be told, and so is the instance's."""

LOST_WITH_THE_SUPERVISOR = {"neither", "neither-serves"}
"""Only who was seen being born knows their workers."""


@dataclass(frozen=True)
class Stack:
    instance: dict[str, Any]
    guard: int
    escapees: dict[str, Escapee]
    ports: dict[str, int]

    def alive(self) -> set[tuple[str, int]]:
        """Service and pid of every process that lives."""
        return {(name, found.pid) for name, one in self.escapees.items() for found in one.alive()}

    def workers(self) -> set[tuple[str, int]]:
        return {(name, one.pid("worker")) for name, one in self.escapees.items()}


@pytest.fixture
def stack(portsup: Portsup, ports_block: int) -> Iterator[Stack]:
    """All of them in one running instance."""
    ports = {name: ports_block + 10 * number for number, name in enumerate(CASES)}
    with ExitStack() as opened:
        escapees = {name: opened.enter_context(escapee()) for name in CASES}
        services = {name: service(escapees[name], flags) for name, flags in CASES.items()}
        for name, port in ports.items():
            services[name]["pool"] = {"ports": [port]}
        write_stack(portsup.cwd, services, base_port=ports_block)
        running = portsup.up("-i", "1")
        instance = portsup.wait_for_services(1)
        stack = Stack(instance, running.process.pid, escapees, ports)
        wait_until(lambda: running.stderr.count("the rest goes on") == 3, 10)
        assert stack.workers() <= stack.alive()
        yield stack


def service(one: Escapee, flags: tuple[str, ...]) -> dict[str, Any]:
    keys = one.service("--session", *flags, stop={"timeout": "300ms"})
    if "--empty-env" in flags:
        keys["command"] = ["env", "-i", *keys["command"]]
    return keys


def test_down_ends_all(portsup: Portsup, portsup_home: Home, stack: Stack) -> None:
    """No shield takes a worker for a stranger, and at the end nobody is left."""
    # A shield needs two looks, a second apart, to be lost.
    (instance,) = wait_until(
        lambda: [
            seen for seen in [portsup.instance(1)] if all(unit["uptime_s"] > 3 for unit in seen["services"])
        ],
        15,
    )
    for unit in instance["services"]:
        assert (unit["state"], unit["shield"], unit["restarts"]) == ("RUNNING", "up", 0), unit
        assert unit["port"] == stack.ports[unit["name"]]
    down = portsup.run("down", "-i", "1")
    assert down.returncode == 0, down.stderr
    assert stack.alive() == set()
    assert_nothing_left(portsup_home, stack.ports.values())


def test_stop_ends_its_own(portsup: Portsup, portsup_home: Home, stack: Stack) -> None:
    """A worker is told to belong to its service; one that shed everything, to the instance."""
    expected = stack.alive()
    for name in CASES:
        assert portsup.run("stop", name).returncode == 0
        kept = {(name, stack.escapees[name].pid("worker"))} if name in OF_NO_UNIT else set()
        expected -= {one for one in expected if one[0] == name} - kept
        assert stack.alive() == expected
    assert portsup.run("down", "-i", "1").returncode == 0
    assert stack.alive() == set()
    assert_nothing_left(portsup_home, stack.ports.values())


def test_both_killed(portsup: Portsup, portsup_home: Home, stack: Stack) -> None:
    """Whom `prune` can tell it ends. Who shed everything is left alone, and its port isn't given out
    while it listens there."""
    kill_both(stack.guard, stack.instance["supervisor"]["pid"])
    everyone = stack.alive()
    lost = {(name, pid) for name, pid in stack.workers() if name in LOST_WITH_THE_SUPERVISOR}
    found = portsup.ask("prune", "--dry-run")["leftovers"]
    told = {one["owner"]["pid"] for one in found if one["kind"] == "process"}
    assert told == {pid for _, pid in everyone - lost}

    assert portsup.run("prune").returncode == 0
    assert stack.alive() == lost
    assert portsup_home.lock_files() == []
    listener = stack.escapees["neither-serves"].pid("worker")
    refused = portsup.run("up", "-i", "1", "-d")
    assert refused.returncode == 69
    assert f"{stack.ports['neither-serves']}  not portsup's: pid {listener} " in refused.stderr
    assert portsup.ask("why", str(stack.ports["neither-serves"]))["holding"] == "foreign"
    assert stack.alive() == lost
