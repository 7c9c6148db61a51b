"""`portsup reload`: only what differs in services.toml changes, and only after it was shown."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any

import psutil
import pytest
from harness import Home, Portsup, assert_nothing_left, foreigner, is_bindable, wait_until, write_stack

from supervisor.control.client import reach
from supervisor.control.registry import instances
from supervisor.errors import PortsupError
from supervisor.records import InstanceRecord

SLEEP = [sys.executable, "-I", "-S", "-c", "import signal; print('up', flush=True); signal.pause()"]
UP = {"command": SLEEP, "ready": {"log": "^up$"}}
EXITS = [sys.executable, "-I", "-S", "-c", "raise SystemExit(1)"]


def record_of(portsup: Portsup) -> InstanceRecord:
    (record,) = instances(portsup.home.locks)
    return record


def pids(portsup: Portsup) -> dict[str, int]:
    return {service["name"]: service["pid"] for service in portsup.instance(1)["services"]}


def environ(portsup: Portsup, service: str) -> dict[str, str]:
    return psutil.Process(pids(portsup)[service]).environ()


def start(portsup: Portsup, services: Mapping[str, Any], base: int, **stack: Any) -> Any:
    write_stack(portsup.cwd, services, base_port=base, **stack)
    running = portsup.up("-i", "1")
    portsup.wait_for_services(1)
    return running


@pytest.mark.slow
def test_only_what_differs(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """New: started. Gone: stopped, given back. Told something else: restarted. Else: left alone."""
    services: dict[str, Any] = {
        "web": {**UP, "pool": {"offset": 0, "size": 2}, "pools": {"metrics": {"offset": 5, "size": 1}}},
        "told": {**UP, "env": {"WEB": "${web.url}"}},
        "told-metrics": {**UP, "env": {"WEB": "${web.metrics.url}"}},
        "same": {**UP, "pool": {"offset": 10, "size": 1}},
        "policy": {**UP, "restart": "no", "watch": []},
        "level": {**UP, "env": {"LOG_LEVEL": "info", "API_TOKEN": "first-token"}},
        "old": {**UP, "pool": {"offset": 20, "size": 1}},
        "old-user": {**UP, "depends_on": ["old"]},
    }
    running = start(portsup, services, ports_block)
    before = pids(portsup)
    assert portsup.run("reload").stdout == f"nothing differs from {portsup.cwd}/services.toml\n"

    del services["old"], services["old-user"]
    services["web"] |= {"pool": {"offset": 1, "size": 2}}
    services["policy"] |= {"restart": "always", "stop": {"signal": "INT"}, "depends_on": ["same"]}
    services["level"] |= {"env": {"LOG_LEVEL": "debug", "API_TOKEN": "other-token"}}
    services["newcomer-by-reload"] = {
        **UP,
        "pool": {"offset": 90, "size": 2},
        "env": {"SAME": "${same.port}"},
    }
    write_stack(portsup.cwd, services, base_port=ports_block)
    shown = portsup.run("reload", "--dry-run")
    first = ports_block
    assert shown.stdout.splitlines() == [
        f"~ web: restart: pool {first}-{first + 1} → {first + 1}-{first + 2}, its port can't be kept",
        "~ told: restart: web gets another port",
        "~ policy: keeps running: depends_on none → same, restart no → always, stop.signal TERM → INT",
        "~ level: restart: env.LOG_LEVEL info → debug, env.API_TOKEN (another value)",
        "+ newcomer-by-reload: start",
        "- old-user: stop",
        "- old: stop",
    ]
    assert pids(portsup) == before

    done = portsup.run("reload")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(shown.stdout)
    assert f"newcomer-by-reload RUNNING http://127.0.0.1:{ports_block + 90}" in done.stdout
    after = {service["name"]: service for service in portsup.instance(1)["services"]}
    assert list(after) == ["web", "told", "told-metrics", "same", "policy", "level", "newcomer-by-reload"]
    kept = {name for name in after if after[name]["pid"] == before.get(name)}
    assert kept == {"told-metrics", "same", "policy"}
    assert (after["web"]["port"], after["web"]["shield"]) == (ports_block + 1, "up")
    assert environ(portsup, "told")["WEB"] == f"http://127.0.0.1:{ports_block + 1}"
    assert environ(portsup, "level")["LOG_LEVEL"] == "debug"
    locked = [f"port-{ports_block + offset}.lock.json" for offset in (1, 10, 90, 5)]
    assert sorted(locked) == [name for name in portsup_home.lock_files() if name.startswith("port-")]
    assert all(is_bindable(ports_block + offset) for offset in (0, 20))

    assert portsup.run("stop", "policy").returncode == 0
    assert portsup.service(1, "policy")["exit"] == "signal INT", "it holds for what ran already"
    assert portsup.run("start", "policy").returncode == 0
    os.kill(pids(portsup)["policy"], signal.SIGTERM)
    wait_until(lambda: portsup.service(1, "policy")["restarts"] == 1, 10, "the policy")
    wait_until(lambda: f"\n{'web':18} | up\n" in running.stdout, 5, "names aligned with the longest")
    with foreigner(ports_block + 90):  # beyond the ports that were watched before
        portsup.wait_for_service(1, "newcomer-by-reload", "FATAL")
    assert portsup.run("down").returncode == 0
    assert "token" not in running.stderr + json.dumps(portsup_home.events())
    assert_nothing_left(portsup_home, [ports_block, ports_block + 1, ports_block + 90])


@pytest.mark.slow
def test_what_is_refused(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """A wrong file, a full pool, another base port: named, and nothing has changed."""
    services: dict[str, Any] = {"web": {**UP, "pool": {"offset": 0, "size": 1}}, "worker": UP}
    start(portsup, services, ports_block)
    before, locks = pids(portsup), portsup_home.lock_files()

    file = write_stack(portsup.cwd, {**services, "web": {**UP, "restrat": "no"}}, base_port=ports_block)
    refused, check = portsup.run("reload"), portsup.run("check")
    assert (refused.returncode, refused.stderr) == (78, check.stderr)
    file.unlink()
    assert portsup.run("reload").returncode == 78

    write_stack(portsup.cwd, services, base_port=ports_block + 100, stride=50)
    refused = portsup.run("reload")
    assert refused.returncode == 1
    assert "cannot reload stack.base_port, stack.stride" in refused.stderr
    assert f"stack.base_port: {ports_block} → {ports_block + 100}" in refused.stderr
    assert "`portsup down -i 1`, then `portsup up -i 1`" in refused.stderr

    del services["worker"]
    services["free"] = {**UP, "pool": {"offset": 10, "size": 1}}
    services["full"] = {**UP, "pool": {"offset": 20, "size": 1}}
    write_stack(portsup.cwd, services, base_port=ports_block)
    with foreigner(ports_block + 20):
        refused = portsup.run("reload")
    assert refused.returncode == 69
    assert f"no free port for full in {ports_block + 20}" in refused.stderr
    assert (pids(portsup), portsup_home.lock_files()) == (before, locks)

    with reach(record_of(portsup)) as client:
        shown = client.call("reload")
        services["full"]["env"] = {"A": "changed meanwhile"}
        write_stack(portsup.cwd, services, base_port=ports_block)
        with pytest.raises(PortsupError, match="has changed since the difference was shown"):
            client.call("reload", apply=shown["fingerprint"])
        assert pids(portsup) == before
        fingerprint = client.call("reload")["fingerprint"]
        with reach(record_of(portsup)) as other:  # two at once: the second one finds it done
            asked = client.ask("reload", {"apply": fingerprint}), other.ask("reload", {"apply": fingerprint})
            client.answer(asked[0], None)
            with pytest.raises(PortsupError, match="has changed since"):
                other.answer(asked[1], None)
    assert list(pids(portsup)) == ["web", "free", "full"]


@pytest.mark.slow
def test_states(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """Stopped by hand: stays so. Given up, waiting or starting: started anew if it differs."""
    fails = {"command": EXITS, "backoff": {"limit": 0}}
    waits = {"command": EXITS, "backoff": {"initial": "1h", "max": "1h"}}
    slow = {"command": SLEEP, "ready": {"log": "^never$", "timeout": "1h"}}
    services: dict[str, Any] = {
        "stopped": {**UP, "pool": {"offset": 0, "size": 1}},
        "fatal": {**fails, "pool": {"offset": 5, "size": 1}},
        "fatal-same": fails,
        "backoff": waits,
        "backoff-same": waits,
        "starting": slow,
        "pending": {**UP, "depends_on": ["starting"]},
        "socket": {**UP, "pool": {"offset": 10, "size": 1}},
        "notify": {**UP, "pool": {"offset": 15, "size": 1}},
    }
    (portsup.cwd / ".env").write_text("SHARED=1\n")
    write_stack(portsup.cwd, services, base_port=ports_block, env_files=[".env"])
    assert portsup.run("up", "-i", "1", "-d").returncode == 0
    for name, state in {"fatal": "FATAL", "backoff": "BACKOFF", "starting": "STARTING"}.items():
        portsup.wait_for_service(1, name, state)
    assert portsup.run("stop", "stopped").returncode == 0
    before = {service["name"]: service for service in portsup.instance(1)["services"]}

    services["stopped"]["env"] = {"A": "1"}
    services["fatal"] |= UP
    services["backoff"] = UP
    services["starting"] = {**UP, "depends_on": ["fatal"]}
    services["socket"]["socket"] = True
    notify = "import os, socket, signal; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); "
    notify += "s.sendto(b'READY=1', os.environ['NOTIFY_SOCKET']); signal.pause()"
    services["notify"] |= {"command": [*SLEEP[:-1], notify], "ready": {"notify": True}}
    write_stack(portsup.cwd, services, base_port=ports_block, env_files=[".env"])
    done = portsup.run("reload")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "~ stopped: stays stopped: env.A none → 1" in done.stdout
    after = {service["name"]: service for service in portsup.instance(1)["services"]}
    states = {name: service["state"] for name, service in after.items()}
    assert states == dict.fromkeys(services, "RUNNING") | {
        "stopped": "STOPPED",
        "fatal-same": "FATAL",
        "backoff-same": "BACKOFF",
    }
    assert after["starting"]["pid"] != before["starting"]["pid"]
    assert environ(portsup, "socket")["LISTEN_FDS"] == "1"
    assert portsup.run("start", "stopped").returncode == 0
    assert environ(portsup, "stopped")["A"] == "1"

    old = pids(portsup)
    (portsup.cwd / ".env").write_text("SHARED=2\n")
    services["socket"] = {**UP, "pool": {"offset": 10, "size": 1}, "env": {"SHARED": "own"}}
    del services["notify"], services["fatal-same"], services["backoff-same"]
    write_stack(portsup.cwd, services, base_port=ports_block, env_files=[".env"])
    done = portsup.run("reload")
    assert "~ pending: restart: env_files.SHARED 1 → 2" in done.stdout
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("~ socket: restart: ")]
    assert "socket true → false" in line
    assert "env.SHARED none → own" in line
    new = pids(portsup)
    assert not set(old.values()) & set(new.values())
    assert list(new) == list(services)
    assert environ(portsup, "pending")["SHARED"] == "2"
    assert "LISTEN_FDS" not in environ(portsup, "socket")
    assert portsup.run("down").returncode == 0
    assert_nothing_left(portsup_home, [ports_block, ports_block + 5, ports_block + 10])


def down(portsup: Portsup) -> None:
    assert portsup.run("down").returncode == 0


def kill_supervisor(portsup: Portsup) -> None:
    os.kill(record_of(portsup).supervisor.pid, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize("end", [down, kill_supervisor])
def test_an_end_in_the_middle(
    portsup: Portsup, portsup_home: Home, ports_block: int, end: Callable[[Portsup], None]
) -> None:
    """A stop that comes while a reload waits for an old child wins, and so does the supervisor's death: each
    leaves nothing, and the reload says so."""
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEP[-1]
    stubborn = stubborn.replace("signal.pause()", "[signal.pause() for _ in iter(int, 1)]")
    services: dict[str, Any] = {
        "web": {
            **UP,
            "command": [*SLEEP[:-1], stubborn],
            "pool": {"offset": 0, "size": 1},
            "stop": {"timeout": "2s"},
        }
    }
    running = start(portsup, services, ports_block)
    services["web"]["pool"] = {"offset": 1, "size": 1}
    services["new"] = {**UP, "pool": {"offset": 10, "size": 1}}
    write_stack(portsup.cwd, services, base_port=ports_block)
    reloading = portsup.start("reload")
    portsup.wait_for_service(1, "web", "STOPPING")
    end(portsup)
    assert reloading.wait() == 1
    assert "Traceback" not in reloading.stderr
    running.wait()
    assert_nothing_left(portsup_home, [ports_block, ports_block + 1, ports_block + 10])


def test_started_while_it_is_removed(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """A start that names several waits for the reload that is under way; of one that this has removed,
    nothing is left."""
    services: dict[str, Any] = {"web": {**UP, "pool": {"offset": 0, "size": 1}}}
    services["stays"] = {**UP, "pool": {"offset": 10, "size": 1}}
    start(portsup, {**services, "old": {**UP, "pool": {"offset": 20, "size": 1}}}, ports_block, stride=300)
    assert portsup.run("stop", "web", "old").returncode == 0
    many = {f"p{number}": {"offset": 100 + number, "size": 1} for number in range(150)}
    services["new"] = {**UP, "pool": {"offset": 30, "size": 1}, "pools": many}
    write_stack(portsup.cwd, services, base_port=ports_block, stride=300)
    record = record_of(portsup)
    with reach(record) as reloading, reach(record) as starting:
        shown = reloading.call("reload")
        asked = reloading.ask("reload", {"apply": shown["fingerprint"]})
        wait_until(lambda: f"port-{ports_block + 100}.lock.json" in portsup_home.lock_files(), 10)
        with pytest.raises(PortsupError, match="there is no service 'old'"):
            starting.call("start", services=["web", "old"])
        reloading.answer(asked, None)
    running = portsup.instance(1)["services"]
    assert [service["name"] for service in running] == ["web", "stays", "new"]
    ports = [port for service in running for port in service["ports"].values()]
    locked = [f"port-{port}.lock.json" for port in ports]
    assert sorted(locked) == [name for name in portsup_home.lock_files() if name.startswith("port-")]
    assert not [event for event in portsup_home.events() if event["event"] == "bug"]
    assert portsup.run("down").returncode == 0
    assert_nothing_left(portsup_home, ports)
