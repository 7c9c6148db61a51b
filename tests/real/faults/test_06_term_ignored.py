"""Fault 6: child ignores SIGTERM.

SIGKILL after `stop.timeout`, `status` said STOPPING meanwhile.
"""

from __future__ import annotations

from datetime import datetime

from harness import Escapee, Home, Portsup, assert_nothing_left, write_stack

TIMEOUT = 2.5
"""Seconds: long enough for a `status` on a busy machine."""


def test_killed_after_its_timeout(
    portsup: Portsup, portsup_home: Home, ports_block: int, escapee: Escapee
) -> None:
    """Not before, and with its grandchild; the instance goes on, and `status` tells every step."""
    service = escapee.service(
        "--session", "--ignore-term", pool={"offset": 0, "size": 1}, stop={"timeout": f"{TIMEOUT}s"}
    )
    write_stack(portsup.cwd, {"web": service}, base_port=ports_block)
    running = portsup.up("-i", "1")
    portsup.wait_for_services(1)
    stop = portsup.start("stop", "web")
    (web,) = portsup.wait_for_services(1, ["STOPPING"])["services"]
    assert web["port"] == ports_block, "it is held until nobody of the tree lives"
    assert stop.wait() == 0
    assert escapee.alive() == []
    (web,) = portsup.instance(1)["services"]
    assert (web["state"], web["exit"]) == ("STOPPED", "signal KILL")
    assert f"did not end within {TIMEOUT:g} s of signal TERM: killing it" in running.stderr
    assert seconds_between("unit.stopping", "unit.stopped", portsup_home) + 0.01 >= TIMEOUT
    running.process.terminate()
    assert running.wait() == 143
    assert_nothing_left(portsup_home, [ports_block])


def seconds_between(first: str, second: str, home: Home) -> float:
    times = {event["event"]: datetime.fromisoformat(event["time"]) for event in home.events()}
    return (times[second] - times[first]).total_seconds()
