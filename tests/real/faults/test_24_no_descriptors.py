"""Fault 24: file descriptors run out (`ulimit -n 64`).

A clear error, nothing half-started stays. One that runs out later ends its services all the same.
"""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from harness import COMMAND, Home, Portsup, assert_nothing_left, wait_until, write_stack

SERVICES = 20
LOWEST = 64
"""Locks are moved to this number and above, so that no instance starts with fewer descriptors."""

HARDLY = [6, 8, 10, 16, 24, 32, 48]
"""Below 6 the interpreter itself doesn't start."""

ENOUGH = 200


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


@pytest.mark.slow
@pytest.mark.timeout(180)
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


IGNORES_TERM = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True)"
FOREVER = "\nwhile True: signal.pause()"


def test_none_are_left_later(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """A service that ended waits for descriptors, with the reason; one that lives is never taken for gone."""
    services = {
        "web": {
            "command": [sys.executable, "-I", "-S", "-c", IGNORES_TERM + FOREVER],
            "pool": {"offset": 0, "size": 1},
            "ready": {"log": "up"},
            "stop": {"timeout": "300ms"},
        },
        "job": {"command": ["sleep", "120"], "pool": {"offset": 10, "size": 1}},
    }
    write_stack(portsup.cwd, services, base_port=ports_block)
    running = portsup.up("-i", "1")
    instance = portsup.wait_for_services(1)
    supervisor, web, job = instance["supervisor"]["pid"], *(unit["pid"] for unit in instance["services"])

    take_all_descriptors(supervisor)
    psutil.Process(job).kill()
    line = wait_until(lambda: [line for line in running.stderr.splitlines() if "BACKOFF: cannot" in line], 5)
    assert "Too many open files" in line[0] or "no file descriptors are left" in line[0]
    take_all_descriptors(supervisor)  # also those that the dead child's pipe and pidfd had
    running.process.terminate()
    assert running.wait() == 143
    assert "did not end within 0.3 s of signal TERM: killing it" in running.stderr
    assert not psutil.pid_exists(web)
    assert "bug" not in {event["event"] for event in portsup_home.events()}
    assert_nothing_left(portsup_home, [ports_block, ports_block + 10])


def test_a_service_comes_back_with_the_descriptors(portsup: Portsup, ports_block: int) -> None:
    """What it lacked is there again: the next try succeeds, and the instance answers."""
    service = {
        "command": ["sleep", "120"],
        "pool": {"offset": 0, "size": 1},
        "backoff": {"initial": "50ms", "max": "50ms", "limit": 1000},
    }
    write_stack(portsup.cwd, {"job": service}, base_port=ports_block)
    running = portsup.up("-i", "1")
    instance = portsup.wait_for_services(1)
    limits = take_all_descriptors(instance["supervisor"]["pid"])
    psutil.Process(instance["services"][0]["pid"]).kill()
    wait_until(lambda: "BACKOFF: cannot" in running.stderr, 5)
    resource.prlimit(instance["supervisor"]["pid"], resource.RLIMIT_NOFILE, limits)
    (job,) = portsup.wait_for_services(1)["services"]
    assert (job["port"], job["shield"]) == (ports_block, "up")
    running.process.send_signal(signal.SIGTERM)
    assert running.wait() == 143


def take_all_descriptors(pid: int) -> tuple[int, int]:
    """It has as many as it may from now on; the limits that it had."""
    taken = {int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    lowest_free = min(set(range(len(taken) + 1)) - taken)
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (lowest_free, hard))
    return soft, hard
