"""Fault 7: a child exits at once, again and again.

BACKOFF with growing waits, FATAL at the limit, same port throughout.
"""

from __future__ import annotations

import sys
from datetime import datetime

from harness import Home, Portsup, write_stack

CRASHES = [
    sys.executable,
    "-I",
    "-S",
    "-c",
    """
import json, os
lock = f"{os.environ['PORTSUP_LOCK_DIR']}/port-{os.environ['PORT']}.lock.json"
print(os.environ["PORT"], json.load(open(lock))["acquired_at"])
raise SystemExit(3)
""",
]
"""Tells its port, and since when that has been locked."""

WAITS = (0.3, 0.9, 2.7)
"""Seconds; the last one is long enough for a `status` on a busy machine."""


def test_giving_up(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """The waits grow, the port stays locked during each, and is given back with FATAL."""
    service = {
        "command": CRASHES,
        "pool": {"offset": 0, "size": 3},
        "backoff": {"initial": "300ms", "factor": 3, "limit": len(WAITS)},
    }
    write_stack(portsup.cwd, {"web": service}, base_port=ports_block)
    assert portsup.run("up", "-i", "1", "-d").returncode == 0
    (web,) = portsup.wait_for_services(1, ["BACKOFF"])["services"]
    assert web["port"] == ports_block
    (web,) = portsup.wait_for_services(1, ["FATAL"])["services"]
    assert web["reason"] == "ended with code 3; gave up after 3 restarts in a row"
    assert (web["restarts"], web["exit"], web["ports"]) == (3, "code 3", {})
    assert f"port-{ports_block}.lock.json" not in portsup_home.lock_files()
    runs = [line.split() for line in (portsup_home.logs() / "web.log").read_text().splitlines()]
    assert len(runs) == len(WAITS) + 1
    ((port, _locked_since),) = {tuple(run) for run in runs}
    assert int(port) == ports_block
    told = [event for event in portsup_home.events() if event.get("service") == "web"]
    assert_waited(told)
    assert portsup.run("down").returncode == 0


def test_the_end_of_the_only_service_ends_up(portsup: Portsup, ports_block: int) -> None:
    """In the foreground `up` exits 1 when nothing is left to run."""
    crashes = [sys.executable, "-I", "-S", "-c", "raise SystemExit(3)"]
    service = {"command": crashes, "backoff": {"initial": "10ms", "limit": 1}}
    write_stack(portsup.cwd, {"web": service}, base_port=ports_block)
    running = portsup.up("-i", "1")
    assert running.wait() == 1
    assert "gave up after 1 restart" in running.stderr


def assert_waited(told: list[dict[str, object]]) -> None:
    """Each wait was told, and lasted as long as it was told."""
    pauses = [event for event in told if event["event"] == "unit.backoff"]
    assert [pause["reason"] for pause in pauses] == [
        f"ended with code 3; try {count} of 3 in {wait:g} s" for count, wait in enumerate(WAITS, 1)
    ]
    starts = [event for event in told if event["event"] == "unit.spawned"][1:]
    for pause, start, wait in zip(pauses, starts, WAITS, strict=True):
        assert at(start) - at(pause) >= wait - 0.01


def at(event: dict[str, object]) -> float:
    return datetime.fromisoformat(str(event["time"])).timestamp()
