"""Restarts under load: not one connection is refused, reset or left without its answer."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence

import pytest
from harness import MAY_SKIP, Portsup, write_stack
from process_help import CHILDREN, PYTHON

RATE = 500
"""Requests a second, each over a connection of its own."""

UVICORN = [PYTHON[0], "-m", "uvicorn", "--fd", "${port_fd}", "--app-dir", str(CHILDREN), "--lifespan", "off"]
SERVERS = [
    pytest.param([*UVICORN, "--no-access-log", "asgi_app:app"], id="uvicorn"),
    pytest.param(
        ["node", str(CHILDREN / "server.js"), "${port_fd}"],
        id="node",
        marks=pytest.mark.skipif(shutil.which("node") is None and MAY_SKIP, reason="needs Node"),
    ),
]


@pytest.mark.timeout(240)  # a busy machine takes its time
@pytest.mark.parametrize("restarts", [2, pytest.param(20, marks=pytest.mark.slow)])
@pytest.mark.parametrize("command", SERVERS)
def test_restarts_lose_nothing(
    portsup: Portsup, ports_block: int, command: Sequence[str], restarts: int
) -> None:
    """Whatever is in flight in the old child is answered by it, all that comes later by the next one."""
    service = {
        "command": command,
        "pool": {"offset": 0, "size": 1},
        "socket": True,
        "ready": {"http": "/"},
        "stop": {"timeout": "20s"},
    }
    write_stack(portsup.cwd, {"web": service}, base_port=ports_block)
    portsup.up("-i", "1")
    portsup.wait_for_services(1)
    with load(ports_block) as client:
        for _ in range(restarts):
            assert portsup.run("restart", "web", seconds=60).returncode == 0
        told, _ = client.communicate()
    became = json.loads(told)
    assert became["outcomes"] == {"ok": became["sent"]}
    assert became["sent"] > 50 * restarts
    assert portsup.instance(1)["services"][0]["shield"] == "up"


@contextlib.contextmanager
def load(port: int) -> Iterator[subprocess.Popen[str]]:
    """The client of children/load.py at work; it tells what became of its requests once its stdin ends."""
    command = [*PYTHON, str(CHILDREN / "load.py"), str(port), str(RATE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        try:
            assert client.stdout is not None and client.stdout.readline() == "asking\n"
            yield client
        finally:
            client.kill()
