"""Fault 2: SIGKILL to the supervisor.

Tree gone and lock files gone within 100 ms (guard), ports free; `scripts/bench --only h` measures the time.
"""

from __future__ import annotations

import os
import signal

import pytest
from harness import Escapee, Home, Portsup, assert_nothing_left, wait_until, write_stack


@pytest.fixture
def ports(portsup: Portsup, ports_block: int, escapee: Escapee) -> list[int]:
    """A stack of a plain service and of a chain of three that ignore TERM in two sessions; its ports."""
    services = {
        "web": {"pool": {"offset": 0, "size": 2}},
        "job": escapee.service(
            "--session",
            "--keep-middle",
            "--ignore-term",
            pool={"offset": 10, "size": 2},
            stop={"timeout": "100ms"},
        ),
    }
    write_stack(portsup.cwd, services, base_port=ports_block)
    return [ports_block, ports_block + 10]


@pytest.mark.parametrize("how", ["foreground", "detached"])
def test_nothing_outlives_it(
    portsup: Portsup, portsup_home: Home, ports: list[int], escapee: Escapee, how: str
) -> None:
    """No process and no file is left, the foreground says what happened, and the next `up` works at once."""
    running = portsup.up("-i", "1", *(["-d"] if how == "detached" else []))
    supervisor = portsup.wait_for_services(1)["supervisor"]["pid"]
    os.kill(supervisor, signal.SIGKILL)
    wait_until(lambda: not portsup_home.lock_files() and not portsup_home.processes(), 5)
    assert escapee.alive() == []
    assert_nothing_left(portsup_home, ports)
    if how == "foreground":
        assert running.wait() == 137
        assert "portsup: the supervisor was killed (signal KILL); its services were ended" in running.stderr
    assert portsup.run("up", "-i", "1", "--wait").returncode == 0
    assert [service["port"] for service in portsup.instance(1)["services"]] == ports
    assert portsup.run("down").returncode == 0
