"""`portsup reload`: only what differs in services.toml changes, and only after it was shown."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping
from typing import Any

import psutil
import pytest
from harness import Home, Portsup, assert_nothing_left, is_bindable, wait_until, write_stack

SLEEP = [sys.executable, "-I", "-S", "-c", "import signal; print('up', flush=True); signal.pause()"]
UP = {"command": SLEEP, "ready": {"log": "^up$"}}
EXITS = [sys.executable, "-I", "-S", "-c", "raise SystemExit(1)"]


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
    services["policy"] |= {"restart": "always", "stop": {"timeout": "1s"}, "depends_on": ["same"]}
    services["level"] |= {"env": {"LOG_LEVEL": "debug", "API_TOKEN": "other-token"}}
    services["new"] = {**UP, "pool": {"offset": 30, "size": 1}, "env": {"SAME": "${same.port}"}}
    write_stack(portsup.cwd, services, base_port=ports_block)
    shown = portsup.run("reload", "--dry-run")
    first = ports_block
    assert shown.stdout.splitlines() == [
        f"~ web: restart: pool {first}-{first + 1} → {first + 1}-{first + 2}, its port can't be kept",
        "~ told: restart: web gets another port",
        "~ policy: keeps running: depends_on none → same, restart no → always, stop.timeout 5 → 1",
        "~ level: restart: env.LOG_LEVEL info → debug, env.API_TOKEN (another value)",
        "+ new: start",
        "- old-user: stop",
        "- old: stop",
    ]
    assert pids(portsup) == before

    done = portsup.run("reload")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(shown.stdout)
    assert f"new RUNNING http://127.0.0.1:{ports_block + 30}" in done.stdout
    after = {service["name"]: service for service in portsup.instance(1)["services"]}
    assert list(after) == ["web", "told", "told-metrics", "same", "policy", "level", "new"]
    kept = {name for name in after if after[name]["pid"] == before.get(name)}
    assert kept == {"told-metrics", "same", "policy"}
    assert (after["web"]["port"], after["web"]["shield"]) == (ports_block + 1, "up")
    assert environ(portsup, "told")["WEB"] == f"http://127.0.0.1:{ports_block + 1}"
    assert environ(portsup, "level")["LOG_LEVEL"] == "debug"
    locked = [f"port-{ports_block + offset}.lock.json" for offset in (1, 10, 30, 5)]
    assert sorted(locked) == [name for name in portsup_home.lock_files() if name.startswith("port-")]
    assert all(is_bindable(ports_block + offset) for offset in (0, 20))

    os.kill(after["policy"]["pid"], signal.SIGTERM)  # its new policy holds without a restart
    wait_until(lambda: portsup.service(1, "policy")["restarts"] == 1, 10, "the policy")
    assert portsup.run("down").returncode == 0
    assert "token" not in running.stderr + json.dumps(portsup_home.events())
    assert_nothing_left(portsup_home, [ports_block, ports_block + 1, ports_block + 30])
