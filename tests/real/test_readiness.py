"""When a service counts as ready: each kind, and what is said when it never does."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from harness import SAMPLE_SERVICE, Portsup, wait_until, write_stack

PYTHON = [sys.executable, "-I", "-S"]
SAMPLE = [*PYTHON, str(SAMPLE_SERVICE)]
NOTIFIES = """
import os, signal, socket
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
    out.connect(os.environ["NOTIFY_SOCKET"])
    out.send(b"STATUS=warming up")
    out.send(b"STATUS=up\\nREADY=1\\n")
    for i in range(600):
        out.send(b"STATUS=%d" % i)
    print("told all", flush=True)
signal.pause()
"""
WAITS = "import signal; print('waiting', flush=True); signal.pause()"

KINDS: dict[str, dict[str, Any]] = {
    "http": {"command": SAMPLE, "ready": {"http": "/api/health"}},
    "tcp": {"command": SAMPLE, "ready": {"tcp": True}},
    "log": {"command": SAMPLE, "ready": {"log": r"listening on .*:\d+"}},
    "exec": {
        "command": SAMPLE,
        "ready": {
            "exec": [
                *PYTHON,
                "-c",
                "import os, socket; socket.create_connection(('127.0.0.1', int(os.environ['PORT'])))",
            ]
        },
    },
    "notify": {"command": [*PYTHON, "-c", NOTIFIES], "ready": {"notify": True}},
    "none": {"command": SAMPLE},
}

NEVER: dict[str, tuple[dict[str, Any], list[str], str]] = {
    "http": ({"http": "/nowhere"}, SAMPLE, "answered 'HTTP/1.0 404 Not Found'"),
    "tcp": ({"tcp": True}, [*PYTHON, "-c", WAITS], "Connection refused"),
    "log": ({"log": "no such line"}, [*PYTHON, "-c", WAITS], "no line matched 'no such line'"),
    "exec": ({"exec": [*PYTHON, "-c", "raise SystemExit(4)"]}, SAMPLE, "the ready command ended with code 4"),
    "notify": ({"notify": True}, [*PYTHON, "-c", WAITS], "no READY=1 came"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_ready(portsup: Portsup, ports_block: int, kind: str) -> None:
    """`up --wait` returns 0 when the service is ready, and a dependent has been started by then."""
    services = {
        "web": {**KINDS[kind], "pool": {"offset": 0, "size": 1}},
        "job": {"command": [*PYTHON, "-c", WAITS], "depends_on": ["web"]},
    }
    write_stack(portsup.cwd, services, base_port=ports_block)
    done = portsup.run("up", "-i", "1", "--wait")
    assert (done.returncode, done.stdout) == (0, "")
    assert [service["state"] for service in portsup.instance(1)["services"]] == ["RUNNING", "RUNNING"]


@pytest.mark.parametrize("kind", NEVER)
def test_never_ready(portsup: Portsup, ports_block: int, kind: str) -> None:
    """Within ready.timeout, or it is stopped; the reason is said, and its dependents don't start."""
    ready, command, reason = NEVER[kind]
    services = {
        "web": {
            "command": command,
            "pool": {"offset": 0, "size": 1},
            "ready": {**ready, "timeout": "500ms"},
            "restart": "no",
        },
        "job": {"command": [*PYTHON, "-c", WAITS], "depends_on": ["web"]},
    }
    write_stack(portsup.cwd, services, base_port=ports_block)
    refused = portsup.run("up", "-i", "1", "--wait")
    assert refused.returncode == 1
    assert "not ready within 0.5 s" in refused.stderr
    assert reason in refused.stderr
    web, job = portsup.instance(1)["services"]
    assert (web["state"], web["ports"]) == ("EXITED", {})
    assert (job["state"], job["reason"]) == ("PENDING", "waits for web (EXITED)")


def test_a_ready_command_that_hangs_is_ended(portsup: Portsup, ports_block: int) -> None:
    """Its process goes with the unit."""
    service = {
        "command": [*PYTHON, "-c", WAITS],
        "ready": {"exec": [*PYTHON, "-c", WAITS], "timeout": "60s"},
    }
    write_stack(portsup.cwd, {"web": service}, base_port=ports_block)
    running = portsup.up("-i", "1")
    wait_until(lambda: len(portsup.home.children()) == 2, 10, "service and ready command")
    running.interrupt()
    assert running.wait() == 130
    assert portsup.home.children() == []


def test_wait_has_a_timeout(portsup: Portsup, ports_block: int) -> None:
    """`--wait --timeout` gives up, says who isn't ready, and leaves the instance up."""
    service = {"command": [*PYTHON, "-c", WAITS], "ready": {"log": "no such line", "timeout": "60s"}}
    write_stack(portsup.cwd, {"web": service}, base_port=ports_block)
    refused = portsup.run("up", "-i", "1", "--wait", "--timeout", "0.3")
    assert refused.returncode == 1
    assert "web is STARTING" in refused.stderr
    assert portsup.instance(1)["services"][0]["state"] == "STARTING"


def test_a_service_that_tells_its_status_on_and_on(portsup: Portsup, ports_block: int) -> None:
    """Whoever is ready may go on to use its notify socket: it is read, or the service would hang."""
    service = {"command": [*PYTHON, "-c", NOTIFIES], "ready": {"notify": True}}
    write_stack(portsup.cwd, {"web": service}, base_port=ports_block)
    running = portsup.up("-i", "1")
    wait_until(lambda: "told all" in running.stdout, 10)


def test_a_pattern_beyond_ascii(portsup: Portsup, ports_block: int) -> None:
    """It is matched against text, as it was checked."""
    code = "import signal; print('\\u2717 \\u2713 up', flush=True); signal.pause()"
    service = {
        "command": ["env", "PYTHONUTF8=1", *PYTHON[:1], "-c", code],
        "ready": {"log": r"^.\s[\u2713] "},
    }
    write_stack(portsup.cwd, {"web": service}, base_port=ports_block)
    assert portsup.run("up", "-i", "1", "--wait", "--timeout", "10").returncode == 0


@pytest.mark.slow
def test_a_ready_command_may_take_its_time(portsup: Portsup, ports_block: int) -> None:
    """It has until ready.timeout, unlike a server that doesn't answer."""
    slow = [*PYTHON, "-c", "import time; time.sleep(2.2)"]
    service = {"command": [*PYTHON, "-c", WAITS], "ready": {"exec": slow}}
    write_stack(portsup.cwd, {"web": service}, base_port=ports_block)
    assert portsup.run("up", "-i", "1", "--wait", "--timeout", "10").returncode == 0


def test_a_deleted_control_socket(portsup: Portsup, ports_block: int) -> None:
    """It is made anew, and the instance can be asked again."""
    write_stack(portsup.cwd, {"web": {"pool": {"offset": 0, "size": 1}}}, base_port=ports_block)
    running = portsup.up("-i", "1")
    portsup.wait_for_services(1)
    (socket,) = (portsup.home.folder / "run").rglob("*.sock")
    socket.unlink()
    wait_until(lambda: "made anew" in running.stderr, 10)
    assert portsup.run("down", "-i", "1").returncode == 0
    assert running.wait() == 0
    assert list((portsup.home.folder / "run").rglob("*.sock")) == []


@pytest.mark.slow
def test_stopped_and_started_at_once(portsup: Portsup, ports_block: int) -> None:
    """A `stop` that somebody overrules returns, and says so."""
    stubborn = "import signal; signal.signal(15, signal.SIG_IGN); print('up', flush=True); signal.pause()"
    service = {
        "command": [*PYTHON, "-c", stubborn + "; signal.pause()"],
        "ready": {"log": "up"},
        "stop": {"timeout": "4s"},
    }
    write_stack(portsup.cwd, {"web": service}, base_port=ports_block)
    portsup.up("-i", "1")
    portsup.wait_for_services(1)
    stopping = portsup.start("stop", "web")
    portsup.wait_for_services(1, ["STOPPING"])
    assert portsup.run("start", "web").returncode == 0
    assert stopping.wait() == 1
    assert "web was started again meanwhile" in stopping.stderr


def test_everybody_waits_for_everybody_before(portsup: Portsup, ports_block: int) -> None:
    """Services that list all that they need, however indirectly, keep the supervisor no busier."""
    names = [f"s{number}" for number in range(40)]
    services: dict[str, dict[str, Any]] = {
        name: {"command": [*PYTHON, "-c", WAITS], "depends_on": names[:number]}
        for number, name in enumerate(names)
    }
    services["s0"]["ready"] = {"log": "no such line"}
    write_stack(portsup.cwd, services, base_port=ports_block)
    assert portsup.run("up", "-i", "1", "-d").returncode == 0
    assert portsup.instance(1)["state"] == "starting"
    assert portsup.run("stop", "s39").returncode == 0
    refused = portsup.run("start", "s39", "--timeout", "1")
    assert "takes longer than 1 s, and goes on" in refused.stderr
    assert portsup.instance(1)["services"][39]["state"] == "PENDING"
