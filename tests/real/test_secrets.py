"""A secret that services are given is found where it is meant, and nowhere else."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomli_w
from harness import Home, Portsup, wait_until, write_stack
from web_help import Api

from supervisor import paths

SECRET = "canary-7f3a91"
DEFAULT = "canary-in-the-file"
"""Written into services.toml itself."""

LISTEN = """
import http.server, os, sys
class Quote(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(401, f"not {self.path}")
        self.end_headers()
    def log_message(self, *_):
        pass
http.server.HTTPServer(("127.0.0.1", int(os.environ.get("PORT") or sys.argv[1])), Quote).serve_forever()
"""
"""Answers every request with 401 and a reason that quotes its path."""

GIVEN = "${env:APP_TOKEN}"


@pytest.fixture
def server(portsup_home: Home) -> list[str]:
    """The command of such a server, short enough for what follows it to be shown."""
    python, script = portsup_home.folder / "py", portsup_home.folder / "q.py"
    python.symlink_to(sys.executable)
    script.write_text(LISTEN)
    return [str(python), "-IS", str(script)]


def services(server: list[str]) -> dict[str, object]:
    """Whatever way there is to pass one on, and to fail with it."""
    return {
        "argument": {
            "command": [*server, "0", GIVEN, f"x{GIVEN}", "--password", DEFAULT],
            "pool": {"offset": 0, "size": 2},
            "env": {"COPY": f"a {GIVEN} b", "STORE": f"postgres://me:{DEFAULT}@db/x", "KEY": DEFAULT},
        },
        "shell": {
            "command": f"exec {' '.join(server)} 0 {GIVEN}",
            "shell": True,
            "pool": {"offset": 10, "size": 1},
        },
        "unspawnable": {"command": [f"./no-such-{GIVEN}", GIVEN], "restart": "no"},
        "unready": {
            "command": server,
            "pool": {"offset": 20, "size": 1},
            "ready": {"http": f"/?token={GIVEN}", "timeout": "1s"},
            "restart": "no",
        },
        "unready-command": {
            "command": server,
            "pool": {"offset": 30, "size": 1},
            "ready": {"exec": ["./no-such", GIVEN], "timeout": "1s"},
            "restart": "no",
        },
        "api-server": {
            "command": [sys.executable, "-m", "supervisor", "serve"],
            "pool": {"offset": 40, "size": 1},
            "ready": {"http": "/api/health"},
        },
    }


@contextlib.contextmanager
def in_the_way(server: list[str], port: int) -> Iterator[None]:
    """A process that portsup did not start, with a secret in its command line, listens on `port`."""
    command = [*server, str(port), f"--key={SECRET}", f"http://me:{SECRET}@there/"]
    environ = {name: value for name, value in os.environ.items() if name != "PORT"}
    with subprocess.Popen(command, env=environ) as process:
        try:
            wait_until(lambda: listens(port), 20, "it to listen")
            yield
        finally:
            process.kill()


def listens(port: int) -> bool:
    from supervisor.platform import os_facts

    return bool(os_facts.listeners([port]))


def written(folder: Path) -> str:
    """The names of all files below `folder`, and what stands in them."""
    return "\n".join(
        f"{path}\n{path.read_text(errors='replace')}" for path in sorted(folder.rglob("*")) if path.is_file()
    )


def said(portsup: Portsup, *arguments: str) -> str:
    done = portsup.run(*arguments, APP_TOKEN=SECRET)
    assert "Traceback" not in done.stderr
    return f"$ portsup {' '.join(arguments)}\n{done.stdout}{done.stderr}"


def assert_clean(text: str) -> None:
    lines = [line for line in text.splitlines() if SECRET in line or DEFAULT in line]
    assert not lines, "\n".join(lines)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_secret_is_nowhere_else(portsup: Portsup, server: list[str], ports_block: int) -> None:
    """Not in what any command says, the event log, the API, the state folder or the lock folder."""
    write_stack(portsup.cwd, services(server), base_port=ports_block, env_files=[".env"])
    (portsup.cwd / ".env").write_text(f"DB_PASSWORD={SECRET}\n")
    with in_the_way(server, ports_block):
        up = portsup.up("-i", "1", APP_TOKEN=SECRET)
        portsup.wait_for_services(1, ("RUNNING", "FATAL", "EXITED"))
        running = {one["name"] for one in portsup.instance(1)["services"] if one["state"] == "RUNNING"}
        assert running == {"argument", "shell", "api-server"}
        everything = [
            said(portsup, *arguments.split())
            for arguments in (
                "check", "check --json", "status", "status --json", "ps", "env --json", "logs -n 100",
                f"why {ports_block} --json", "start unspawnable", "start --json unready", "restart shell",
                "stop argument", "start --json argument", "up -i 1",
            )
        ]  # fmt: skip
        api = Api(up.process, ports_block + 40, paths.api_token_file(portsup.home.variables))
        everything += [
            api.get(path)[2].decode()
            for path in ("/", "/api/services", "/api/health/aggregated", "/api/tracing/stats")
        ]
        everything.append(json.dumps(api.post("/api/instances/1/services/unready/start")))
        whys = [said(portsup, "why", str(ports_block + offset)) for offset in (0, 1, 10)]
        assert all("***" in told for told in whys)
        everything += whys
        everything += left_behind(portsup, up.process.pid, ports_block + 10)
    everything += [up.stdout, up.stderr, written(portsup.home.locks), written(portsup.home.folder / "state")]
    for text in everything:
        assert_clean(text)


def left_behind(portsup: Portsup, guard: int, port: int) -> list[str]:
    """What why and prune say of a dead supervisor's children, whose command lines hold the secret."""
    supervisor = portsup.instance(1)["supervisor"]["pid"]
    locks = written(portsup.home.locks)
    os.kill(guard, signal.SIGSTOP)  # so that neither clears up after the other
    os.kill(supervisor, signal.SIGKILL)
    os.kill(guard, signal.SIGKILL)
    wait_until(lambda: "to be ended" in portsup.run("prune", "--dry-run").stdout, 10)
    told = [
        said(portsup, *line.split())
        for line in (
            "prune --dry-run", f"why {port}", f"why {port} --json", "prune --dry-run --json", "prune",
        )
    ]  # fmt: skip
    assert "pid" in told[0] and all("***" in one for one in told[:3])
    return [locks, *told]


def test_where_it_is_meant(portsup: Portsup, ports_block: int) -> None:
    """`env SERVICE` prints what the service has, and `exec --service` passes it on: they are asked for it."""
    wait = [sys.executable, "-c", "import signal; signal.pause()"]
    write_stack(portsup.cwd, {"web": {"command": wait, "env": {"COPY": GIVEN}}}, base_port=ports_block)
    assert portsup.run("up", "-i", "1", "-d", APP_TOKEN=SECRET).returncode == 0
    assert SECRET in portsup.run("env", "web").stdout
    assert SECRET in portsup.run("exec", "--service", "web", "--", "printenv", "COPY").stdout


@pytest.mark.parametrize(
    ("service", "env_file"),
    [
        ({"env": {"API_KEY": [SECRET]}}, ""),
        ({"env": {"API_KEY": {"x": SECRET}}}, ""),
        ({"env": {"API_KEY": "${" + SECRET}}, ""),
        ({"env": SECRET}, ""),
        ({"token": SECRET}, ""),
        ({"command": {"x": SECRET}}, ""),
        ({"command": f"server --token '{SECRET}"}, ""),
        ({"command": ["server", "--token", SECRET, 5]}, ""),
        ({"command": f"./server --token {SECRET}", "shell": False}, ""),
        ({"command": f"API_KEY={SECRET} server"}, ""),
        ({"ready": {"http": {"token": SECRET}}}, ""),
        ({"ready": {"exec": f"check --token '{SECRET}"}}, ""),
        ({}, f"{SECRET}\n"),
        ({}, f"API_KEY='{SECRET}\n"),
        ({}, f"API_KEY\n={SECRET}\n"),
    ],
    ids=str,
)
def test_what_is_wrong_with_a_file_is_said_without_it(
    portsup: Portsup, service: dict[str, object], env_file: str
) -> None:
    """Errors and warnings name file, line and key, not the value."""
    document = {
        "stack": {"name": "test", "env_files": [".env"]},
        "services": {"web": {"command": "true", **service}},
    }
    (portsup.cwd / "services.toml").write_text(tomli_w.dumps(document))
    (portsup.cwd / ".env").write_text(env_file)
    for arguments in (("check",), ("check", "--json"), ("up", "-i", "1", "-d")):
        assert_clean(said(portsup, *arguments))
