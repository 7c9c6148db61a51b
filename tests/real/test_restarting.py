"""Children that end by themselves: restarted by policy, on the same port, and the others untouched."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from datetime import datetime

import psutil
import pytest
from harness import Home, Portsup, bind_first, foreigner, health, is_bindable, wait_until, write_stack

EXIT = [sys.executable, "-I", "-S", "-c"]


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_kill_9_of_one_child(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """It is restarted on the same port within 200 ms of its exit plus its backoff; nobody else is touched."""
    services = {
        "web": {"pool": {"offset": 0, "size": 3}, "backoff": {"initial": "100ms"}},
        "api": {"pool": {"offset": 10, "size": 3}},
    }
    write_stack(portsup.cwd, services, base_port=ports_block)
    portsup.up("-i", "1")
    before = {service["name"]: service for service in portsup.wait_for_services(1)["services"]}
    os.kill(before["web"]["pid"], signal.SIGKILL)
    wait_until(lambda: portsup.instance(1)["services"][0]["restarts"] == 1, 10)
    after = {service["name"]: service for service in portsup.wait_for_services(1)["services"]}
    assert after["web"]["port"] == before["web"]["port"] == ports_block
    assert after["web"]["pid"] != before["web"]["pid"]
    assert after["web"]["exit"] == "signal KILL"
    assert after["web"]["shield"] == "up"
    assert after["api"]["pid"] == before["api"]["pid"]
    assert after["api"]["restarts"] == 0
    told = [event for event in portsup_home.events() if event.get("service") == "web"]
    (exited,) = [event for event in told if event["event"] == "unit.exited"]
    respawn = [event for event in told if event["event"] == "unit.spawned"][1]
    assert 0.1 <= seconds(respawn["time"]) - seconds(exited["time"]) + 0.001 < 0.3
    answer = health(ports_block)
    assert answer is not None
    assert answer["pid"] == after["web"]["pid"]


def test_policy_no(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """A killed child that is not to be restarted: its lock and its shield are gone at once."""
    services = {
        "web": {"pool": {"offset": 0, "size": 3}, "restart": "no"},
        "api": {"pool": {"offset": 10, "size": 3}},
    }
    write_stack(portsup.cwd, services, base_port=ports_block)
    portsup.up("-i", "1")
    os.kill(portsup.wait_for_services(1)["services"][0]["pid"], signal.SIGKILL)
    wait_until(lambda: f"port-{ports_block}.lock.json" not in portsup_home.lock_files(), 5)
    web, api = portsup.wait_for_services(1, ["EXITED", "RUNNING"])["services"]
    assert (web["state"], web["shield"], web["ports"], web["exit"]) == ("EXITED", "none", {}, "signal KILL")
    assert api["state"] == "RUNNING"
    assert is_bindable(ports_block)


def test_a_job_that_is_done(portsup: Portsup, ports_block: int) -> None:
    """Exit 0 satisfies those who wait for it; an instance of jobs ends with 0 when all are done."""
    services = {
        "migrate": {"command": [*EXIT, "print('migrated')"], "ready": {"log": "no such line"}},
        "seed": {"command": [*EXIT, "print('seeded')"], "depends_on": ["migrate"]},
    }
    write_stack(portsup.cwd, services, base_port=ports_block)
    running = portsup.up("-i", "1")
    assert running.wait() == 0
    assert running.stdout.split("\n")[:-1] == ["migrate | migrated", "seed    | seeded"]


def test_a_failed_dependency(portsup: Portsup, ports_block: int) -> None:
    """Those who wait for one that is over never start, and `up` ends with 1 instead of waiting for ever."""
    services = {
        "migrate": {
            "command": [*EXIT, "raise SystemExit(1)"],
            "restart": "no",
            "ready": {"log": "no such line"},
        },
        "seed": {"command": [*EXIT, "print('seeded')"], "depends_on": ["migrate"]},
    }
    write_stack(portsup.cwd, services, base_port=ports_block)
    running = portsup.up("-i", "1")
    assert running.wait() == 1
    assert "seeded" not in running.stdout


def test_a_command_that_is_not_there(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """FATAL with the reason, not a retry; the others run."""
    services = {
        "bad": {"command": ["no-such-program"], "pool": {"offset": 0, "size": 1}},
        "web": {"pool": {"offset": 10, "size": 1}},
    }
    write_stack(portsup.cwd, services, base_port=ports_block)
    refused = portsup.run("up", "-i", "1", "--wait")
    assert refused.returncode == 1
    assert "no-such-program" in refused.stderr
    bad, web = portsup.instance(1)["services"]
    assert (bad["state"], web["state"]) == ("FATAL", "RUNNING")
    assert f"port-{ports_block}.lock.json" not in portsup_home.lock_files()


DAEMON = """
import os, socket, signal
server = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
if os.fork():
    os._exit(0)
os.setsid()
signal.signal(signal.SIGTERM, lambda *_: os._exit(print("asked", flush=True) or 0))
print("daemon", os.getpid(), flush=True)
signal.pause()
"""


def test_a_daemonised_service_that_dies(portsup: Portsup, ports_block: int) -> None:
    """The end of its last process counts as a failure, and it is restarted."""
    service = {
        "command": [*EXIT, DAEMON],
        "pool": {"offset": 0, "size": 1},
        "ready": {"log": "daemon"},
        "backoff": {"initial": "10ms"},
    }
    write_stack(portsup.cwd, {"web": service}, base_port=ports_block)
    running = portsup.up("-i", "1")
    portsup.wait_for_services(1)
    wait_until(lambda: "the rest goes on" in running.stderr, 5)
    os.kill(int(running.stdout.split("daemon ")[1].split("\n")[0]), signal.SIGKILL)
    wait_until(lambda: running.stdout.count("daemon ") == 2, 5)
    assert portsup.wait_for_services(1)["services"][0]["restarts"] == 1


@pytest.mark.slow
def test_a_foreigner_takes_the_port_between_two_runs(portsup: Portsup, ports_block: int) -> None:
    """The port is probed before a restart: BACKOFF until it is free again, and on the same port."""
    service = {"pool": {"offset": 0, "size": 2}, "backoff": {"initial": "1s", "factor": 1, "limit": 20}}
    write_stack(portsup.cwd, {"web": service}, base_port=ports_block)
    running = portsup.up("-i", "1")
    pid = portsup.wait_for_services(1)["services"][0]["pid"]
    os.kill(pid, signal.SIGKILL)
    portsup.wait_for_services(1, ["BACKOFF"])
    said = f"port {ports_block} is in use by pid"
    with foreigner(ports_block) as other:
        wait_until(lambda: f"{said} {other.pid}" in running.stderr, 10)
        rounds = time.monotonic() + 2.5  # of the watcher, to whom a foreigner there is a lost shield
        wait_until(lambda: time.monotonic() > rounds, 10)
        assert other.poll() is None
        assert portsup.instance(1)["services"][0]["state"] == "BACKOFF"
    (web,) = portsup.wait_for_services(1)["services"]
    assert web["port"] == ports_block
    assert running.stderr.count(said) == 1


def test_the_only_service_stopped_and_started(portsup: Portsup, ports_block: int) -> None:
    """In the foreground, a service that was stopped by hand is no reason for the instance to end."""
    write_stack(portsup.cwd, {"web": {"pool": {"offset": 0, "size": 1}}}, base_port=ports_block)
    running = portsup.up("-i", "1")
    portsup.wait_for_services(1)
    assert portsup.run("stop", "web").returncode == 0
    assert portsup.run("start", "web").returncode == 0
    (web,) = portsup.wait_for_services(1)["services"]
    assert web["restarts"] == 0, "only those by portsup count"
    assert running.process.poll() is None


@pytest.mark.parametrize("how", ["restart", "stop-start"])
def test_by_hand(portsup: Portsup, ports_block: int, how: str) -> None:
    """`restart`, and `stop` then `start`, bring a new process on the old port; stop gives the port back."""
    write_stack(
        portsup.cwd,
        {"web": {"pool": {"offset": 0, "size": 2}}, "api": {"pool": {"offset": 10, "size": 2}}},
        base_port=ports_block,
    )
    portsup.up("-i", "1")
    old = portsup.wait_for_services(1)["services"]
    if how == "restart":
        assert portsup.run("restart", "web").returncode == 0
    else:
        assert portsup.run("stop", "web").returncode == 0
        assert portsup.instance(1)["services"][0]["state"] == "STOPPED"
        assert is_bindable(ports_block)
        assert f"port-{ports_block}.lock.json" not in portsup.home.lock_files()
        assert portsup.run("start", "web").returncode == 0
    new = portsup.wait_for_services(1)["services"]
    assert (new[0]["port"], new[1]["pid"]) == (ports_block, old[1]["pid"])
    assert new[0]["pid"] != old[0]["pid"]


@pytest.mark.parametrize("how", ["start", "restart"])
def test_another_port_restarts_dependents(portsup: Portsup, ports_block: int, how: str) -> None:
    """Stopped, its port taken by somebody else, started: on the next port, and who names it is told. Who
    names only another port of it, or a dependent, is left alone."""
    services = {
        "web": {"pool": {"offset": 0, "size": 2}, "pools": {"metrics": {"offset": 5, "size": 1}}},
        "job": {"pool": {"offset": 10, "size": 1}, "env": {"WEB": "${web.url}"}},
        "api": {"pool": {"offset": 20, "size": 1}, "env": {"A": "${web.metrics.url}", "B": "${job.url}"}},
    }
    write_stack(portsup.cwd, services, base_port=ports_block)
    running = portsup.up("-i", "1")
    before = {service["name"]: service["pid"] for service in portsup.wait_for_services(1)["services"]}
    assert portsup.run("stop", "web").returncode == 0
    with foreigner(ports_block):
        assert portsup.run(how, "web").returncode == 0
        wait_until(lambda: portsup.instance(1)["services"][1]["restarts"] == 1, 10)
        after = {service["name"]: service for service in portsup.wait_for_services(1)["services"]}
    assert after["web"]["port"] == ports_block + 1
    assert after["api"]["pid"] == before["api"]
    assert "web has another port: restarting job, told the old one" in running.stderr
    environ = psutil.Process(after["job"]["pid"]).environ()
    assert environ["WEB"] == f"http://127.0.0.1:{ports_block + 1}"


WITHOUT_REUSE = """
import os, socket
server = socket.socket()
server.bind(("127.0.0.1", int(os.environ["PORT"])))
server.listen()
print("serving", flush=True)
connection, _ = server.accept()
connection.close()
connection, _ = server.accept()
"""
"""Binds as a server does that doesn't know of SO_REUSEADDR, and closes a connection first."""


def test_time_wait_is_the_reason(portsup: Portsup, ports_block: int) -> None:
    """A service that can't bind its port again for TIME_WAIT is in BACKOFF, and the message says so."""
    with socket.socket() as unused:
        port = bind_first(unused, ports_block)
    service = {"command": [*EXIT, WITHOUT_REUSE], "pool": {"ports": [port]}, "ready": {"log": "serving"}}
    write_stack(portsup.cwd, {"web": service}, base_port=ports_block)
    running = portsup.up("-i", "1")
    pid = portsup.wait_for_services(1)["services"][0]["pid"]
    with socket.create_connection(("127.0.0.1", port)) as client:
        assert client.recv(1) == b""
    os.kill(pid, signal.SIGKILL)
    portsup.wait_for_services(1, ["BACKOFF"])
    wait_until(lambda: f"port {port} can't be bound for up to a minute" in running.stderr, 10)
    assert portsup.instance(1)["services"][0]["port"] == port


def test_a_job_that_is_done_is_not_done_again(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """`start` brings up what a service waits for, and a finished job is nothing to wait for."""
    services = {
        "migrate": {"command": [*EXIT, "print('migrated')"], "ready": {"log": "no such line"}},
        "web": {"pool": {"offset": 0, "size": 1}, "depends_on": ["migrate"]},
    }
    write_stack(portsup.cwd, services, base_port=ports_block)
    assert portsup.run("up", "-i", "1", "--wait").returncode == 0
    for command in ("stop", "start"):
        assert portsup.run(command, "web").returncode == 0
    assert (portsup_home.logs() / "migrate.log").read_text() == "migrated\n"


def test_a_start_that_takes_longer_than_somebody_waits(portsup: Portsup, ports_block: int) -> None:
    """`restart --timeout` says that it goes on, not that the instance can't be reached."""
    ticks = "import time; time.sleep(600)"
    service = {"command": [*EXIT, ticks], "ready": {"log": "no such line", "timeout": "60s"}}
    write_stack(portsup.cwd, {"web": service}, base_port=ports_block)
    portsup.up("-i", "1")
    portsup.wait_for_services(1, ["STARTING"])
    refused = portsup.run("restart", "web", "--timeout", "0.5")
    assert refused.returncode == 1
    assert "restart of web takes longer than 0.5 s, and goes on" in refused.stderr
