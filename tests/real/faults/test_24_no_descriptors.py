"""Fault 24: file descriptors run out (`ulimit -n 64`).

A clear error, nothing half-started stays. One that runs out later ends its services all the same.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from harness import COMMAND, Home, Portsup, assert_nothing_left, wait_until, write_stack

SERVICES = 20
LOWEST = 64
"""Locks are moved to this number and above, so that no instance starts with fewer descriptors."""

HARDLY = [6, 8, 10, 16, 24, 32, 48]
"""Below 6 the interpreter itself doesn't start."""

ENOUGH = 200

STUBBORN = Path(__file__).parents[1] / "children" / "stubborn.py"


@pytest.fixture
def ports(portsup: Portsup, ports_block: int) -> list[int]:
    """A stack of services that cost the supervisor four descriptors each."""
    services = {
        f"s{number}": {"command": ["sleep", "120"], "pool": {"offset": number, "size": 1}}
        for number in range(SERVICES)
    }
    write_stack(portsup.cwd, services, base_port=ports_block)
    return [ports_block + number for number in range(SERVICES)]


def up(portsup: Portsup, limit: int, *options: str) -> subprocess.CompletedProcess[str]:
    """`up -i 1` with at most `limit` descriptors."""
    return subprocess.run(
        ["sh", "-c", 'ulimit -n "$0" && exec "$@"', str(limit), *COMMAND, "up", "-i", "1", *options],
        cwd=portsup.cwd,
        env=portsup.home.environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def assert_refused(done: subprocess.CompletedProcess[str], home: Home, ports: list[int]) -> None:
    assert done.returncode == 1, done.stderr
    assert "ulimit -n" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and "internal error" not in done.stderr, done.stderr
    wait_until(lambda: not home.processes(), 5, "the end of guard and supervisor")
    assert_nothing_left(home, ports)


@pytest.mark.parametrize("options", [["-d"], []], ids=["background", "foreground"])
def test_too_few_for_any_instance(
    portsup: Portsup, portsup_home: Home, ports: list[int], options: list[str]
) -> None:
    """Wherever in the start it happens, the error names the limit."""
    for limit in [*HARDLY, LOWEST, LOWEST + SERVICES]:
        assert_refused(up(portsup, limit, *options), portsup_home, ports)


def test_all_or_nothing(portsup: Portsup, portsup_home: Home, ports: list[int]) -> None:
    """One descriptor more at a time: refused until all services run."""
    limit = LOWEST + SERVICES
    while (done := up(portsup, limit, "-d")).returncode:
        assert_refused(done, portsup_home, ports)
        limit += 1
        assert limit < ENOUGH
    assert limit > LOWEST + SERVICES
    assert [service["state"] for service in portsup.instance(1)["services"]] == ["RUNNING"] * SERVICES
    assert portsup.run("down").returncode == 0
    assert_nothing_left(portsup_home, ports)
