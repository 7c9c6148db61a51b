"""Fault 25: 24 h worth of restarts in fast motion (10,000 restarts).

Descriptors, memory and tasks of supervisor and guard stay flat.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from harness import Background, Home, Portsup, assert_nothing_left, until_small, wait_until, write_stack

SHORT_LIVED = Path(__file__).parents[1] / "children" / "short_lived.sh"

CHECKPOINTS = (0.1, 0.5, 1.0)

MEMORY_KB = 1024
"""As much as an arena of Python's allocator: what stays of each restart shows sooner in 10,000 of them."""


@dataclass(frozen=True)
class Cost:
    """What a process has of the kernel, with one child of the service alive."""

    descriptors: int
    tasks: int
    children: int
    private_kb: int

    @staticmethod
    def of(pid: int) -> Cost:
        folder = Path(f"/proc/{pid}")
        memory = re.findall(r"^Private_\w+: +(\d+) kB", (folder / "smaps_rollup").read_text(), re.MULTILINE)
        return Cost(
            descriptors=len(list((folder / "fd").iterdir())),
            tasks=len(list((folder / "task").iterdir())),
            children=len((folder / "task" / str(pid) / "children").read_text().split()),
            private_kb=sum(map(int, memory)),
        )

    @property
    def countable(self) -> tuple[int, int, int]:
        return self.descriptors, self.tasks, self.children


@pytest.mark.parametrize(
    "restarts",
    [
        pytest.param(200, marks=pytest.mark.slow),
        pytest.param(10_000, marks=[pytest.mark.long, pytest.mark.timeout(1200)]),
    ],
)
def test_nothing_grows(portsup: Portsup, portsup_home: Home, ports_block: int, restarts: int) -> None:
    """At a tenth, at the half and at the end of all restarts, everything costs the same."""
    service = {
        "command": ["sh", str(SHORT_LIVED), str(portsup.cwd)],
        "pool": {"offset": 0, "size": 1},
        "restart": "always",
        "backoff": {"initial": 0, "max": 0, "limit": 1_000_000},
    }
    write_stack(portsup.cwd, {"job": service}, base_port=ports_block)
    running = portsup.up("-i", "1")
    first, *later = [costs_after(int(restarts * part), portsup, running) for part in CHECKPOINTS]
    for name, before in first.items():
        for cost in later:
            assert cost[name].countable == before.countable, name
            assert cost[name].private_kb - before.private_kb < MEMORY_KB, name
    running.process.terminate()
    assert running.wait() == 143
    assert_nothing_left(portsup_home, [ports_block])


def costs_after(restarts: int, portsup: Portsup, running: Background) -> dict[str, Cost]:
    """Of supervisor and guard, once the service was restarted so often and a child of it stays."""
    count, hold, held = (portsup.cwd / name for name in ("count", "hold", "held"))
    wait_until(lambda: count.exists() and count.stat().st_size > restarts, 5 + restarts * 0.1)
    hold.touch()
    wait_until(held.exists, 5)
    instance = portsup.instance(1)
    (service,) = instance["services"]
    assert (service["state"], service["pid"]) == ("RUNNING", int(held.read_text()))
    assert service["restarts"] == count.stat().st_size - 1 >= restarts
    until_small(running.process.pid)  # before, guard and supervisor share memory
    costs = {
        "supervisor": at_rest(instance["supervisor"]["pid"]),
        "guard": at_rest(running.process.pid),
    }
    held.unlink()
    hold.unlink()
    return costs


def at_rest(pid: int) -> Cost:
    """Its cost, when ten looks in a row agree: `status` may still hang up."""
    looks = [Cost.of(pid)]

    def agree() -> bool:
        looks.append(Cost.of(pid))
        return looks[-10:] == looks[-1:] * 10

    wait_until(agree, 5, f"pid {pid} to be at rest")
    return looks[-1]
