"""Starting, stopping and restarting services over HTTP."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from harness import Home, Portsup, wait_until, write_stack
from stand_in import Imposter, Loop, publish, record, service, snapshot_of
from web_help import Api, refusal, serving

from supervisor import paths
from supervisor.errors import ConfigError, ExitCode, NoFreePort, PortsupError, UsageError
from supervisor.records import InstanceRecord


@pytest.fixture
def api(portsup_home: Home, ports_block: int) -> Iterator[Api]:
    with serving(portsup_home, ports_block) as running:
        yield running


class Told:
    """An instance that notes what it is told, and answers or fails as a test wants. It is looked at, too."""

    def __init__(self, loop: Loop, home: Home, number: int = 1, **more: Any) -> None:
        self.record: InstanceRecord = record(home.folder, number, **more)
        self.calls: list[tuple[str, Any]] = []
        self.outcome: Any = {"services": [service("api", 6000).to_json()]}
        self.patience = 0.0
        publish(home.locks, self.record)
        loop.serve(Path(self.record.socket), self.dispatch)

    async def dispatch(self, method: str, params: Mapping[str, Any]) -> Any:
        if method == "snapshot":
            return snapshot_of(self.record).to_json()
        self.calls.append((method, params.get("services")))
        await asyncio.sleep(self.patience)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def path(verb: str, number: object = 1, name: str = "api") -> str:
    return f"/api/instances/{number}/services/{name}/{verb}"


@pytest.mark.parametrize("verb", ["start", "stop", "restart"])
def test_a_change(api: Api, loop: Loop, portsup_home: Home, verb: str) -> None:
    """The instance is told, and its answer is passed on."""
    told = Told(loop, portsup_home)
    if verb == "stop":
        told.outcome = {"services": [service("api", state="STOPPED").to_json()]}
    assert api.post(path(verb)) == (
        200,
        {
            "schema": 1,
            "stack": "test",
            "instance": 1,
            "instance_id": told.record.instance_id,
            "done": True,
            **told.outcome,
        },
    )
    assert told.calls == [(verb, ["api"])]


@pytest.mark.parametrize(
    ("verb", "state", "status"),
    [
        ("start", "FATAL", 503),
        ("start", "EXITED", 200),
        ("restart", "BACKOFF", 503),
        ("stop", "RUNNING", 503),
        ("stop", "FATAL", 200),
    ],
)
def test_where_it_came_to(
    api: Api, loop: Loop, portsup_home: Home, verb: str, state: str, status: int
) -> None:
    """A service that isn't where it was to go is no success, and its reason is told."""
    told = Told(loop, portsup_home)
    told.outcome = {"services": [service("api", state=state, exit="code 0", reason="why").to_json()]}
    found, answer = api.post(path(verb))
    assert (found, answer["services"][0]["reason"]) == (status, "why")


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (UsageError("there is no service 'api'", hint="the stack has web"), 404),
        (NoFreePort("no free port for api in 6000", details=["6000  taken"], hint="see who"), 409),
        (ConfigError("cannot start api: the environment variable X is not set", hint="set it"), 409),
        (PortsupError("the instance is stopping", hint="wait"), 409),
        (PortsupError("internal", exit_code=ExitCode.INTERNAL), 500),
        (RuntimeError("a secret"), 500),
    ],
)
def test_refusals(api: Api, loop: Loop, portsup_home: Home, failure: Exception, status: int) -> None:
    """Message, details and hint of the instance, with a fitting code."""
    told = Told(loop, portsup_home)
    told.outcome = failure
    found, answer = api.post(path("start"))
    assert found == status
    if isinstance(failure, PortsupError):
        assert answer == {
            "error": failure.message,
            "details": list(failure.details),
            "hint": failure.hint,
        }
    assert "a secret" not in str(answer)


def test_nobody_there(api: Api, portsup_home: Home) -> None:
    """No such instance is 404; one that doesn't answer is 503."""
    status, answer = api.post(path("start", 7))
    assert (status, answer["error"]) == (404, "there is no instance 7")
    status, answer = api.post(path("start", 7) + "?stack=x")
    assert (status, answer["error"]) == (404, "there is no instance 7 of x")
    publish(portsup_home.locks, record(portsup_home.folder, 2))
    status, answer = api.post(path("start", 2))
    assert status == 503 and "its control socket is gone" in answer["error"]


@pytest.mark.parametrize("number", ["x", "-1", "1.5", "99999999999999999999"])
def test_no_number(api: Api, number: str) -> None:
    """An instance has a number."""
    assert api.post(path("start", number)) == (400, refusal("the instance must be a whole number"))


@pytest.mark.parametrize("reply", [b"garbage\n", b"", b'{"jsonrpc":"2.0","portsup":1,"id":1,"result":{}}\n'])
def test_an_answer_that_is_none(api: Api, portsup_home: Home, reply: bytes) -> None:
    """Whatever listens there, the caller gets a sentence."""
    one = record(portsup_home.folder, 1)
    publish(portsup_home.locks, one)
    with Imposter(one.socket, reply):
        status, answer = api.post(path("start"))
    assert status == 503 and answer["error"].startswith("cannot reach instance 1 of test: ")


def test_several_stacks(api: Api, loop: Loop, portsup_home: Home) -> None:
    """Where several have an instance of that number nothing is guessed; ?stack= tells which is meant."""
    mine = Told(loop, portsup_home, 1)
    socket = str(portsup_home.folder / "sockets" / "other.sock")
    other = Told(loop, portsup_home, 1, stack="other", base_port=8000, socket=socket)
    status, answer = api.post(path("stop"))
    assert (status, answer["error"]) == (409, "there are 2 instances 1")
    assert len(answer["details"]) == 2 and "?stack=NAME" in answer["hint"]
    assert not mine.calls and not other.calls
    assert api.post(path("start") + "?stack=other")[0] == 200
    assert (mine.calls, other.calls) == ([], [("start", ["api"])])


def test_without_a_token_nothing_is_told(api: Api, loop: Loop, portsup_home: Home) -> None:
    """Neither is anything looked up: an instance that isn't there looks the same."""
    told = Told(loop, portsup_home)
    for number in (1, 7):
        status, answer = api.json(path("stop", number), method="POST")
        assert (status, answer["error"]) == (401, f"this needs the token in {api.token_file}")
    assert api.get(path("stop"))[0] == 405
    assert told.calls == []


def test_a_new_token(api: Api, loop: Loop, portsup_home: Home) -> None:
    """When the file is removed the old one is worth nothing; a file that can't be trusted shuts the door."""
    told = Told(loop, portsup_home)
    old = {"Authorization": f"Bearer {api.token}"}
    api.token_file.unlink()
    assert api.json(path("start"), method="POST", headers=old)[0] == 401
    assert api.post(path("start"))[0] == 200
    api.token_file.chmod(0o644)
    status, answer = api.post(path("start"))
    assert status == 500 and "others may read or write it" in answer["error"]
    assert len(told.calls) == 1


@pytest.mark.slow
def test_many_may_wait(api: Api, loop: Loop, portsup_home: Home) -> None:
    """Callers that are kept waiting take nobody's turn, and no thread each."""
    told = Told(loop, portsup_home)
    told.patience = 2.0
    statuses: list[int] = []
    callers = [
        threading.Thread(target=lambda: statuses.append(api.post(path("start"))[0])) for _ in range(50)
    ]
    for caller in callers:
        caller.start()
    wait_until(lambda: len(told.calls) == 50, 20, "all to be told")
    assert api.json("/api/health", seconds=2)[0] == 200
    for caller in callers:
        caller.join(20)
    assert statuses == [200] * 50


@pytest.mark.slow
def test_the_end_while_somebody_waits(portsup_home: Home, loop: Loop, ports_block: int) -> None:
    """A call that takes its time doesn't keep the server from ending, and goes on without it."""
    told = Told(loop, portsup_home)
    told.patience = 10.0
    with serving(portsup_home, ports_block) as running:
        caller = threading.Thread(target=ignore_failure, args=(running, path("start")))
        caller.start()
        wait_until(lambda: told.calls, 20, "the instance to be told")
        running.process.send_signal(signal.SIGTERM)
        running.process.communicate(timeout=8)
        caller.join(20)
    assert running.process.returncode == 0


def ignore_failure(api: Api, where: str) -> None:
    try:
        api.post(where)
    except (OSError, ValueError, AssertionError):
        pass  # cut off


def test_a_token_file_that_cannot_be_trusted(portsup: Portsup, ports_block: int) -> None:
    """`serve` doesn't start with it, and says what to do."""
    file = paths.api_token_file(portsup.home.variables)
    file.parent.mkdir(parents=True)
    file.write_text("x" * 43)
    file.chmod(0o666)
    refused = portsup.run("serve", "--port", str(ports_block))
    assert refused.returncode == 1
    assert f"cannot use {file} as the API's token: others may read or write it (mode 0666)" in refused.stderr
    assert "hint: remove it: `portsup serve` makes a new one" in refused.stderr


def test_a_real_instance(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """Its services come and go as they are told; the API server itself is restarted by itself."""
    services = {
        "api": {
            "command": [sys.executable, "-m", "supervisor", "serve"],
            "pool": {"offset": 0, "size": 1},
            "ready": {"http": "/api/health"},
        },
        "web": {"pool": {"offset": 10, "size": 1}},
    }
    write_stack(portsup.cwd, services, base_port=ports_block)
    up = portsup.up("-i", "1")
    before = {one["name"]: one["pid"] for one in portsup.wait_for_services(1)["services"]}
    api = Api(up.process, ports_block, paths.api_token_file(portsup_home.variables))
    status, answer = api.post(path("restart", name="web"))
    (web,) = answer["services"]
    assert (status, web["state"]) == (200, "RUNNING") and web["pid"] != before["web"]
    assert api.post(path("stop", name="web"))[1]["services"][0]["state"] == "STOPPED"
    assert api.post(path("start", name="web"))[1]["services"][0]["state"] == "RUNNING"
    status, answer = api.post(path("start", name="nobody"))
    assert (status, answer["hint"]) == (404, "the stack has api, web")
    status, answer = api.post(path("restart", name="api"))
    assert (status, answer["done"], answer["services"]) == (202, False, [])
    wait_until(lambda: portsup.instance(1)["services"][0]["pid"] not in (None, before["api"]), 15)
    portsup.wait_for_services(1)
    logged = (portsup_home.logs() / "api.log").read_text()
    assert api.token not in logged and str(api.token_file) in logged
    assert os.fspath(api.token_file) in up.stderr + up.stdout
