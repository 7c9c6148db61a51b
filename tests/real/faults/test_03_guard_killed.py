"""Fault 3: SIGKILL to the guard.

Orderly stop, nothing left.
"""

from __future__ import annotations

import psutil
import pytest
from harness import Escapee, Home, Portsup, assert_nothing_left, wait_until, write_stack


@pytest.mark.parametrize("how", ["foreground", "detached"])
def test_the_supervisor_stops_in_an_orderly_way(
    portsup: Portsup, portsup_home: Home, ports_block: int, escapee: Escapee, how: str
) -> None:
    """Dependents first, each with its stop signal, and the escaped worker too."""
    services = {
        "web": {"pool": {"offset": 0, "size": 1}},
        "job": escapee.service("--session", depends_on=["web"], stop={"timeout": "300ms"}),
    }
    write_stack(portsup.cwd, services, base_port=ports_block)
    portsup.up("-i", "1", *(["-d"] if how == "detached" else []))
    supervisor = portsup.wait_for_services(1)["supervisor"]["pid"]
    guard = psutil.Process(supervisor).parent()
    assert guard is not None
    guard.kill()
    wait_until(lambda: not portsup_home.processes(), 10)
    assert escapee.alive() == []
    assert escapee.was_asked("leader")
    assert_nothing_left(portsup_home, [ports_block])
    told = [(event["event"], event.get("service")) for event in portsup_home.events()]
    stop = told.index(("instance.stopping", None))
    assert [
        (event, service) for event, service in told[stop:] if event in ("unit.stopping", "unit.stopped")
    ] == [
        ("unit.stopping", "job"),
        ("unit.stopped", "job"),
        ("unit.stopping", "web"),
        ("unit.stopped", "web"),
    ]
    assert portsup_home.events()[stop]["why"] == "the guard is gone"
