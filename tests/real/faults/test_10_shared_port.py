"""Fault 10: a foreign process listens on a held port beside the child (SO_REUSEPORT, another address family).

Shield lost, foreign process named and untouched, child stopped.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psutil
from harness import CHILDREN, WAITS, Home, Portsup, foreigner, wait_until, write_stack

SHARES = [sys.executable, "-I", "-S", str(CHILDREN / "listen.py"), "--share"]

BESIDE: dict[str, tuple[str, bool]] = {
    "reuseport": ("127.0.0.1", True),
    "reuseport-everywhere": ("0.0.0.0", True),
    "other-family": ("::1", False),
}
"""Where the foreigner listens, and whether it shares the port."""


@contextlib.contextmanager
def foreigners(ports: dict[str, int]) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """One beside each service."""
    with contextlib.ExitStack() as stack:
        yield {
            name: stack.enter_context(foreigner(port, BESIDE[name][0], shares=BESIDE[name][1]))
            for name, port in ports.items()
        }


def is_untouched(other: subprocess.Popen[str], host: str, port: int) -> bool:
    """It lives, and who asks for it is let in."""
    with socket.create_connection(("::1" if ":" in host else "127.0.0.1", port), timeout=5):
        return other.poll() is None and psutil.Process(other.pid).status() != psutil.STATUS_STOPPED


def test_stop(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """Each service that somebody listens beside is stopped for good; the others go on."""
    ports = {name: ports_block + 10 * i for i, name in enumerate(BESIDE)}
    services: dict[str, Any] = {
        name: {"command": SHARES, "pool": {"offset": 10 * i, "size": 2}, "ready": {"tcp": True}}
        for i, name in enumerate(BESIDE)
    }
    write_stack(portsup.cwd, {**services, "bystander": {"command": WAITS}}, base_port=ports_block)
    running = portsup.up("-i", "1")
    children = {service["name"]: service["pid"] for service in portsup.wait_for_services(1)["services"]}
    with foreigners(ports) as others:
        for name, other in others.items():
            host, _ = BESIDE[name]
            lost = portsup.wait_for_service(1, name, "FATAL")
            assert (lost["shield"], lost["pid"], lost["ports"]) == ("lost", None, {})
            assert f"pid {other.pid} ({sys.executable} -I -S" in lost["reason"]
            assert f"on {host} listens there and isn't of its tree" in lost["reason"]
            assert lost["reason"] in running.stderr
            assert not psutil.pid_exists(children[name])
            assert is_untouched(other, host, ports[name])
        assert portsup.service(1, "bystander")["pid"] == children["bystander"]
        assert portsup_home.lock_files() == [f"instance-{ports_block}.lock.json"]
    told = [event for event in portsup_home.events() if event["event"] == "unit.shield_lost"]
    assert sorted((event["service"], event["port"], event["level"]) for event in told) == sorted(
        (name, port, "error") for name, port in ports.items()
    )
    assert portsup.run("start", *BESIDE).returncode == 0
    for name, port in ports.items():
        again = portsup.service(1, name)
        assert (again["port"], again["shield"], again["reason"]) == (port, "up", None)


def test_rotate(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """The next port of the pool, and who names the port is restarted with the new one; nobody else is."""
    services: dict[str, Any] = {
        "web": {
            "command": SHARES,
            "pool": {"offset": 0, "size": 2},
            "ready": {"tcp": True},
            "on_lost": "rotate",
        },
        "user": {"command": WAITS, "env": {"WEB": "${web.url}"}},
        "bystander": {"command": WAITS},
    }
    write_stack(portsup.cwd, services, base_port=ports_block)
    portsup.up("-i", "1")
    before = {service["name"]: service for service in portsup.wait_for_services(1)["services"]}
    with foreigner(ports_block, shares=True) as other:
        wait_until(lambda: portsup.service(1, "web")["port"] == ports_block + 1, 15, "another port")
        wait_until(lambda: portsup.service(1, "user")["restarts"] == 1, 15, "its user's restart")
        after = {service["name"]: service for service in portsup.wait_for_services(1)["services"]}
        assert is_untouched(other, "127.0.0.1", ports_block)
        (lost,) = [event for event in portsup_home.events() if event["event"] == "unit.shield_lost"]
    assert f"pid {other.pid} (" in lost["message"]
    assert (after["web"]["shield"], after["web"]["port"]) == ("up", ports_block + 1)
    assert psutil.Process(after["user"]["pid"]).environ()["WEB"] == f"http://127.0.0.1:{ports_block + 1}"
    assert after["bystander"]["pid"] == before["bystander"]["pid"]
    assert not psutil.pid_exists(before["web"]["pid"]) and not psutil.pid_exists(before["user"]["pid"])
    assert portsup_home.lock_files() == [
        f"instance-{ports_block}.lock.json",
        f"port-{ports_block + 1}.lock.json",
    ]


def test_rotate_with_nowhere_to_go(portsup: Portsup, ports_block: int) -> None:
    """The service is over, and the reason names who is on the pool's other ports."""
    services: dict[str, Any] = {
        "web": {
            "command": SHARES,
            "pool": {"offset": 0, "size": 2},
            "ready": {"tcp": True},
            "on_lost": "rotate",
        },
        "bystander": {"command": WAITS},
    }
    write_stack(portsup.cwd, services, base_port=ports_block)
    portsup.up("-i", "1")
    portsup.wait_for_services(1)
    with foreigner(ports_block + 1) as next_port, foreigner(ports_block, shares=True):
        wait_until(lambda: portsup.service(1, "web")["state"] == "FATAL", 15, "the end of web")
        reason = portsup.service(1, "web")["reason"]
    other = ports_block + 1
    assert f"no free port for web in {other}: {other}  not portsup's: pid {next_port.pid} (" in reason
