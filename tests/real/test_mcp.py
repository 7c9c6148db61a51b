"""`portsup mcp` as its clients meet it: the SDK's own client, over both transports, before real instances."""

from __future__ import annotations

import array
import asyncio
import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import termios
from collections.abc import AsyncIterator, Coroutine, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest
from harness import COMMAND, WAITS, Home, Portsup, health, wait_until, write_stack
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult

from supervisor import paths

pytestmark = pytest.mark.slow

TALKS = "print('\\x1b[31mred\\x1b[0m \\x07', flush=True)\nfor i in range(3000): print(i)\n"
"""Prints colours, a bell and many lines, then waits."""

CHATTY = [sys.executable, "-I", "-S", "-uc", f"{TALKS}import signal; signal.pause()"]

INITIALIZE = (
    b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18",'
    b'"capabilities":{},"clientInfo":{"name":"test","version":"1"}}}\n'
)


PIPE_FULL = 60_000
"""Bytes; one holds 65536."""


class Agent:
    """A client of the server, and what it is told."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def tools(self) -> set[str]:
        return {tool.name for tool in (await self.client.list_tools()).tools}

    async def call(self, tool: str, **arguments: Any) -> Any:
        """The typed answer. Raises AssertionError if it is an error."""
        result = await self._result(tool, arguments)
        assert not result.is_error, text(result)
        assert text(result)
        return result.structured_content

    async def refused(self, tool: str, **arguments: Any) -> str:
        """What it says. Raises AssertionError if it is no error."""
        result = await self._result(tool, arguments)
        assert result.is_error, result.structured_content
        return text(result)

    async def _result(self, tool: str, arguments: dict[str, Any]) -> CallToolResult:
        return await self.client.call_tool(tool, arguments)


def text(result: CallToolResult) -> str:
    (content,) = result.content
    assert content.type == "text"
    return content.text


class Stdio(NamedTuple):
    """How to reach a server that the client starts itself, in this folder."""

    home: Home
    folder: Path

    @contextlib.asynccontextmanager
    async def agent(self, *arguments: str) -> AsyncIterator[Agent]:
        """It must say nothing on stderr."""
        server = StdioServerParameters(
            command=COMMAND[0], args=[*COMMAND[1:], "mcp", *arguments], env=self.home.environ, cwd=self.folder
        )
        errors = self.home.folder / "mcp.err"
        with errors.open("w") as log:
            async with Client(stdio_client(server, log)) as client:
                yield Agent(client)
        assert errors.read_text() == ""


@pytest.fixture
def stdio(portsup: Portsup) -> Stdio:
    return Stdio(portsup.home, portsup.cwd)


def run(test: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(40):
            await test

    asyncio.run(bounded())


def test_from_up_to_down_over_stdio(portsup: Portsup, stdio: Stdio, ports_block: int) -> None:
    """An agent starts an instance, looks at it, restarts a service and ends it; what it starts lives on
    without the server, and the server ends with its client."""
    services = {
        "api": {"pool": {"offset": 0, "size": 3}},
        "chatty": {"command": CHATTY},
        "db": {"pool": {"offset": 10, "size": 1}, "env": {"DB_PASSWORD": "hunter2"}},
    }
    write_stack(portsup.cwd, services, base_port=ports_block)

    async def first() -> None:
        async with stdio.agent("--allow-changes") as agent:
            assert await agent.call("list_instances") == {"here": str(portsup.cwd), "instances": []}
            assert "no instance of this worktree is up" in await agent.refused("status")
            up = await agent.call("up")
            assert (up["instance"]["state"], up["instance"]["instance"]) == ("running", 1)
            await looks(agent, up["instance"])
            await hostile(agent)
            await changes(agent)

    async def looks(agent: Agent, instance: dict[str, Any]) -> None:
        id_ = instance["instance_id"]
        for where in ({}, {"instance_id": id_}, {"folder": str(portsup.cwd), "instance": 1}):
            assert (await agent.call("status", **where))["instance_id"] == id_
        logs = await agent.call("logs", service="chatty", lines=2)
        assert (logs["lines"], logs["left_out"]) == (["2998", "2999"], False)
        (first, *_) = (await agent.call("logs", service="api", since="10m"))["lines"]
        assert f"listening on http://127.0.0.1:{ports_block}" in first
        env = (await agent.call("env"))["variables"]
        assert env["PORTSUP_API_URL"] == f"http://127.0.0.1:{ports_block}"
        assert not {name for name in env if name == "PORTSUP_UNIT" or "PASSWORD" in name}
        why = await agent.call("why", port=ports_block)
        assert (why["holding"], why["instance_id"], why["service"]) == ("held", id_, "api")
        assert (await agent.call("why", port=ports_block + 1))["holding"] == "free"
        events = (await agent.call("events", limit=200))["events"]
        assert {"instance.claimed", "unit.running"} <= {event["event"] for event in events}

    async def hostile(agent: Agent) -> None:
        for name in ("nobody", "../api", "/etc/passwd", "api\0", "portsup.events"):
            assert "there is no service" in await agent.refused("logs", service=name)
            assert "there is no service" in await agent.refused("restart", services=[name])
        assert "lines: " in await agent.refused("logs", service="api", lines=10**6)
        assert "is no time" in await agent.refused("logs", service="api", since="yesterday")
        assert "instance: " in await agent.refused("status", instance=0)
        assert "port: " in await agent.refused("why", port=65536)
        assert "no instance 7 of this worktree" in await agent.refused("down", instance=7)
        assert "no instance x-1 is up" in await agent.refused("down", instance_id="x-1")
        assert "run past 65535" in await agent.refused("up", instance=10**9)
        assert "there is no /nowhere" in await agent.refused("up", folder="/nowhere")
        assert "cannot" in await agent.refused("up", folder="a\0b")
        assert "already up" in await agent.refused("up")
        assert 'no service "--help"' in await agent.refused("up", instance=3, services=["--help"])

    async def changes(agent: Agent) -> None:
        before = await agent.call("status")
        (after,) = (await agent.call("restart", services=["api"]))["services"]
        assert after["ready"] and after["pid"] != pid_of(before, "api")
        (stopped,) = (await agent.call("stop", services=["api"]))["services"]
        assert stopped["state"] == "STOPPED"
        await agent.call("start", services=["api"])
        await agent.call("up", instance="auto", services=["chatty"], wait=False)
        both = await agent.refused("status")
        assert "2 instances of this worktree" in both and both.count("instance_id test-") == 2
        assert (await agent.call("down", instance=1))["instance"] == 1

    async def second() -> None:
        async with stdio.agent("--allow-changes") as agent:
            (instance,) = (await agent.call("list_instances"))["instances"]
            assert instance["instance"] == 2
            await agent.call("down", instance_id=instance["instance_id"])

    run(first())
    assert portsup.instance(2)["state"] == "running"
    run(second())
    assert portsup.home.lock_files() == []


def pid_of(instance: dict[str, Any], service: str) -> int:
    (found,) = [one["pid"] for one in instance["services"] if one["name"] == service]
    assert isinstance(found, int)
    return found


def test_what_is_cancelled_is_taken_back(portsup: Portsup, stdio: Stdio, ports_block: int) -> None:
    """A client that waits no longer for `up`, or goes away meanwhile, leaves no half-started instance."""
    never = {"command": WAITS, "pool": {"offset": 0, "size": 1}, "ready": {"tcp": True, "timeout": "60s"}}
    write_stack(portsup.cwd, {"never": never}, base_port=ports_block)

    def is_up() -> bool:
        return f"port-{ports_block}.lock.json" in portsup.home.lock_files()

    async def cancelled() -> None:
        async with stdio.agent("--allow-changes") as agent:
            call = asyncio.create_task(agent.call("up"))
            await asyncio.to_thread(wait_until, is_up, 10, "the instance to be up")
            assert (await agent.call("list_instances"))["instances"]  # meanwhile it answers others
            call.cancel()
            await asyncio.to_thread(wait_until, lambda: not portsup.home.lock_files(), 10, "its end")

    async def gone() -> None:
        async with stdio.agent("--allow-changes") as agent:
            call = asyncio.create_task(agent.call("up"))
            await asyncio.to_thread(wait_until, is_up, 10, "the instance to be up")
            call.cancel()

    run(cancelled())
    run(gone())
    wait_until(lambda: not portsup.home.lock_files(), 10, "its end")


@contextlib.contextmanager
def started(home: Home, folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server whose client says hello, by hand."""
    with subprocess.Popen(
        [*COMMAND, "mcp", *arguments],
        cwd=folder,
        env=home.environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(INITIALIZE)
            process.stdin.flush()
            assert b'"serverInfo"' in process.stdout.readline()
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (None, 0)], ids=["TERM", "INT", "EOF"]
)
def test_it_ends_in_silence(portsup: Portsup, signum: signal.Signals | None, code: int) -> None:
    """At once, with the exit code of other commands, although a thread waits for the client."""
    with started(portsup.home, portsup.cwd) as process:
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        if signum is None:
            process.stdin.close()
        else:
            process.send_signal(signum)
        assert process.wait(10) == code
        assert (process.stdout.read(), process.stderr.read()) == (b"", b"")


LIST = b'{"jsonrpc":"2.0","id":2,"method":"tools/list"}\n'


def test_a_client_that_does_not_read(portsup: Portsup) -> None:
    """A signal ends the server although a thread of it hangs in writing; so does the client's own end."""
    with started(portsup.home, portsup.cwd) as process:
        flood(process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 143
    with started(portsup.home, portsup.cwd) as process:
        assert process.stdout is not None and process.stderr is not None
        flood(process)
        process.stdout.close()
        assert (process.wait(10), process.stderr.read()) == (0, b"")


def flood(process: subprocess.Popen[bytes]) -> None:
    """Ask until the server's answers are so many that it takes no more."""
    assert process.stdin is not None
    os.set_blocking(process.stdin.fileno(), False)
    wait_until(lambda: _is_stuck(process), 20, "a server that waits for its client")


def _is_stuck(process: subprocess.Popen[bytes]) -> bool:
    assert process.stdin is not None and process.stdout is not None
    for _ in range(100):
        try:
            os.write(process.stdin.fileno(), LIST)
        except BlockingIOError:
            break
    unread = array.array("i", [0])
    fcntl.ioctl(process.stdout, termios.FIONREAD, unread)
    return unread[0] > PIPE_FULL


UP = b'{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"up","arguments":{}}}\n'


def test_an_instance_holds_none_of_the_client_s_pipes(portsup: Portsup, ports_block: int) -> None:
    """The client sees the end of the server's output, while what the server started lives on."""
    write_stack(portsup.cwd, {"api": {"pool": {"offset": 0, "size": 1}}}, base_port=ports_block)
    with started(portsup.home, portsup.cwd, "--allow-changes") as process:
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        process.stdin.write(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n' + UP)
        process.stdin.flush()
        assert b"is up" in process.stdout.readline()
        process.stdin.close()
        assert (process.stdout.read(), process.stderr.read(), process.wait(10)) == (b"", b"", 0)
    assert portsup.instance(1)["state"] == "running"
    assert portsup.run("down").returncode == 0


class Http(NamedTuple):
    """A server that is a service of an instance."""

    url: str

    @contextlib.asynccontextmanager
    async def agent(self, token: str | None = None) -> AsyncIterator[Agent]:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=20) as http,
            Client(streamable_http_client(self.url, http_client=http)) as client,
        ):
            yield Agent(client)


def test_as_a_service_over_http(portsup: Portsup, ports_block: int) -> None:
    """What it shows to everyone, what it wants the token for, and that it doesn't end itself."""
    command = [*COMMAND, "mcp", "--http", "--allow-changes"]
    services = {
        "mcp": {"command": command, "pool": {"offset": 0, "size": 1}, "ready": {"http": "/api/health"}},
        "api": {"pool": {"offset": 10, "size": 1}},
    }
    write_stack(portsup.cwd, services, base_port=ports_block)
    assert portsup.run("up", "--wait").returncode == 0
    here = Http(f"http://127.0.0.1:{ports_block}/mcp")
    token_file = paths.api_token_file(portsup.home.variables)
    token = token_file.read_text().strip()

    async def everyone() -> None:
        async with here.agent() as agent, here.agent("wrong") as liar:
            assert "up" in await agent.tools()
            seen, same = await asyncio.gather(agent.call("status"), liar.call("status"))
            assert [one["name"] for one in seen["services"]] == ["mcp", "api"]
            assert {one["name"] for one in same["services"]} == {"mcp", "api"}
            assert (await agent.call("why", port=ports_block))["service"] == "mcp"
            assert (await agent.call("events"))["events"]
            for tool, arguments in SECRET.items():
                for one in (agent, liar):
                    refusal = await one.refused(tool, **arguments)
                    assert "this needs the token in" in refusal and "Authorization: Bearer" in refusal

    async def who_may() -> None:
        async with here.agent(token) as agent:
            assert (await agent.call("logs", service="api"))["lines"]
            assert (await agent.call("env"))["variables"]["PORTSUP_API_PORT"] == str(ports_block + 10)
            (api,) = (await agent.call("restart", services=["api"]))["services"]
            assert api["ready"]
            for tool, arguments in [("down", {}), ("stop", {"services": ["api", "mcp"]})]:
                assert f"{tool} would end this server" in await agent.refused(tool, **arguments)
            assert "would be ended with that instance" in await agent.refused("up", instance="auto")

    run(everyone())
    run(who_may())
    running = portsup.service(1, "mcp")
    who = {"service": "mcp", "instance": 1, "port": ports_block, "pid": running["pid"], "status": "ok"}
    assert health(ports_block) == who
    for headers, status in [({"Host": "evil.example"}, 421), ({"Origin": "http://evil.example"}, 403)]:
        assert httpx2.get(f"http://127.0.0.1:{ports_block}/api/health", headers=headers).status_code == status
        assert httpx2.post(here.url, json={}, headers=headers).status_code == status
    os.kill(running["pid"], signal.SIGTERM)
    wait_until(lambda: portsup.service(1, "mcp")["exit"], 10, "its end")
    assert portsup.service(1, "mcp")["exit"] == "code 0"
    said = portsup.run("logs", "mcp").stdout
    assert said == (
        f"listening on http://127.0.0.1:{ports_block}\n"
        f"portsup: logs, variables and changes need the token in {token_file}\n"
    )
    assert portsup.run("down").returncode == 0


SECRET: dict[str, dict[str, Any]] = {
    "logs": {"service": "api"},
    "env": {},
    "up": {},
    "down": {},
    "start": {"services": ["api"]},
    "stop": {"services": ["api"]},
    "restart": {"services": ["api"]},
}
