"""Fault 5: child that forks, calls setsid, forks again and ignores SIGTERM.

Gone after `down`, and after fault 2.
"""

from __future__ import annotations

import os
import signal

import pytest
from harness import Escapee, Home, Portsup, assert_nothing_left, wait_until, write_stack

SHEDS = [(), ("--close",), ("--empty-env",), ("--empty-env", "--close")]
"""What the grandchild drops besides session and parent: descriptors, environment, or both."""


@pytest.fixture(params=SHEDS, ids=lambda flags: "+".join(flags) or "nothing")
def port(request: pytest.FixtureRequest, portsup: Portsup, ports_block: int, escapee: Escapee) -> int:
    """Its port, once it runs."""
    service = escapee.service(
        "--session",
        "--ignore-term",
        *request.param,
        pool={"offset": 0, "size": 1},
        stop={"timeout": "200ms"},
    )
    write_stack(portsup.cwd, {"web": service}, base_port=ports_block)
    portsup.up("-i", "1")
    portsup.wait_for_services(1)
    leader, worker = escapee.pid("leader"), escapee.pid("worker")
    assert os.getsid(worker) not in (os.getsid(leader), worker), "its middle leads its session"
    return ports_block


def test_gone_after_down(portsup: Portsup, portsup_home: Home, port: int, escapee: Escapee) -> None:
    """When `down` returns, nobody of it lives."""
    assert portsup.run("down").returncode == 0
    assert escapee.alive() == []
    assert_nothing_left(portsup_home, [port])


def test_gone_after_the_supervisors_death(
    portsup: Portsup, portsup_home: Home, port: int, escapee: Escapee
) -> None:
    """The guard ends it, whatever it has shed."""
    os.kill(portsup.instance(1)["supervisor"]["pid"], signal.SIGKILL)
    wait_until(lambda: not portsup_home.processes() and not escapee.alive(), 5)
    assert_nothing_left(portsup_home, [port])
