"""Fault 15: child listens on another port, or on none.

A warning that says which, `ready.timeout` fails it.
"""

from __future__ import annotations

import sys
from typing import Any

import psutil
import pytest
from harness import CHILDREN, WAITS, Portsup, health, wait_until, write_stack

PYTHON = [sys.executable, "-I", "-S"]
CHECKED = {"ready": {"tcp": True, "timeout": "1s"}, "restart": "no"}


def listens_on(port: int) -> list[str]:
    return [*PYTHON, str(CHILDREN / "listen.py"), str(port)]


def test_a_warning(portsup: Portsup, ports_block: int) -> None:
    """Said once for each child, with the variable that it should read; it goes on, and others too."""
    other = ports_block + 500
    web = {"command": listens_on(other), "pool": {"offset": 0, "size": 1}, "port_env": "WEB_PORT"}
    write_stack(portsup.cwd, {"web": web, "good": {"pool": {"offset": 10, "size": 1}}}, base_port=ports_block)
    running = portsup.up("-i", "1")
    said = f"warning: web listens on {other}, not on its port {ports_block}: does it read WEB_PORT?"
    wait_until(lambda: said in running.stderr, 15, "the warning")
    seen = portsup.instance(1)["services"]
    assert [one["state"] for one in seen] == ["RUNNING", "RUNNING"]
    assert health(ports_block + 10)
    psutil.Process(seen[0]["pid"]).kill()
    wait_until(lambda: running.stderr.count(said) == 2, 15, "the next child's warning")
    assert "good listens" not in running.stderr
    warned = [event for event in portsup.home.events() if event["event"] == "unit.elsewhere"]
    assert [(event["service"], event["port"], event["level"]) for event in warned] == [
        ("web", ports_block, "warning")
    ] * 2


@pytest.mark.slow
def test_a_warning_about_none(portsup: Portsup, ports_block: int) -> None:
    """It gets longer, since it may need its time."""
    web = {"command": WAITS, "pool": {"offset": 0, "size": 1}}
    write_stack(portsup.cwd, {"web": web}, base_port=ports_block)
    running = portsup.up("-i", "1")
    said = f"web listens on no port, though {ports_block} is its own: does it read PORT?"
    wait_until(lambda: said in running.stderr, 20, "the warning")
    assert portsup.service(1, "web")["state"] == "RUNNING"


def test_ready_timeout_fails_it(portsup: Portsup, ports_block: int) -> None:
    """It is ended, with where it listens instead in the reason, and `up --wait` says so."""
    other = ports_block + 500
    services: dict[str, Any] = {
        "elsewhere": {"command": listens_on(other), "pool": {"offset": 0, "size": 1}, **CHECKED},
        "nowhere": {"command": WAITS, "pool": {"offset": 10, "size": 1}, **CHECKED},
        "user": {"command": WAITS, "depends_on": ["elsewhere"]},
    }
    write_stack(portsup.cwd, services, base_port=ports_block)
    refused = portsup.run("up", "-i", "1", "--wait")
    assert refused.returncode == 1
    reasons = {
        "elsewhere": f"not ready within 1 s: port {ports_block}: Connection refused"
        f"; it listens on {other} instead",
        "nowhere": f"not ready within 1 s: port {ports_block + 10}: Connection refused",
    }
    for name, reason in reasons.items():
        service = portsup.service(1, name)
        assert (service["state"], service["reason"], service["ports"]) == ("EXITED", reason, {})
        assert f"{name} is EXITED: {reason}\n" in refused.stderr
    assert portsup.service(1, "user")["state"] == "PENDING"
    assert portsup.home.children() == []
