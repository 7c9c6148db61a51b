"""What a command sees of an instance that answers badly, late, or not at all."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from harness import ROOT, Home
from stand_in import Imposter, Instance, Loop, me, record, service, snapshot_of

from supervisor import records
from supervisor.control import client, protocol
from supervisor.control.client import Client
from supervisor.errors import NotRunning, PortsupError
from supervisor.platform import Owner, os_facts
from supervisor.records import InstanceRecord


@pytest.fixture
def one(portsup_home: Home) -> InstanceRecord:
    """The record of an instance that nobody serves yet."""
    found = record(portsup_home.folder)
    Path(found.socket).parent.mkdir(mode=0o700)
    return found


@pytest.fixture(scope="module")
def dead() -> Owner:
    """A process that has ended."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        owner = os_facts.owner(process.pid)
    assert owner is not None
    return owner


def listen(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    return listener


def test_snapshot_of_a_living_instance(loop: Loop, one: InstanceRecord) -> None:
    """The snapshot that the supervisor sent is the one that is shown."""
    instance = Instance(one, (service("api", 6000), service("worker")))
    loop.serve(Path(one.socket), instance.dispatch)
    assert client.snapshot(one) == snapshot_of(one, *instance.services)


def test_missing_socket(one: InstanceRecord) -> None:
    """A live supervisor without a socket: said so, and where to look."""
    with pytest.raises(
        NotRunning, match="cannot reach instance 1 of test: its control socket is gone"
    ) as caught:
        Client(one)
    assert "alive" in caught.value.details[0]
    assert caught.value.hint == f"see {one.logs}"
    assert client.snapshot(one).state == "unreachable"


def test_dead_supervisor(one: InstanceRecord, dead: Owner) -> None:
    """A stale socket of a dead supervisor: the hint is prune, and the snapshot says dead."""
    found = record(Path(one.config).parent, supervisor=dead)
    listen(one.socket).close()
    with pytest.raises(NotRunning, match="nobody listens on its control socket") as caught:
        Client(found)
    assert "portsup prune" in (caught.value.hint or "")
    snapshot = client.snapshot(found)
    assert (snapshot.state, snapshot.supervisor_pid, snapshot.services) == ("dead", dead.pid, ())


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"boot_id": "another boot"}, "dead"),
        ({"supervisor": Owner(me().pid, me().started - 1)}, "dead"),
        ({"supervisor": Owner(me().pid, me().started - 1), "pidns": "pid:[1]"}, "unreachable"),
        ({}, "unreachable"),
    ],
    ids=["before a reboot", "recycled pid", "another namespace", "alive"],
)
def test_dead_or_unreachable(one: InstanceRecord, changes: dict[str, Any], state: str) -> None:
    """Dead is only who is known to be dead: a pid of another namespace says nothing."""
    assert client.snapshot(record(Path(one.config).parent, **changes)).state == state


@pytest.mark.parametrize(
    "path", ["", "relative.sock", "/tmp/" + "x" * 200, "/tmp/a\0b", "/tmp/\ud800", "/proc/self/mem", "/tmp"]
)
def test_nonsense_for_a_socket(one: InstanceRecord, path: str) -> None:
    """Whatever a record names as its socket, the answer is NotRunning."""
    with pytest.raises(NotRunning):
        Client(record(Path(one.config).parent, socket=path))


def test_frozen_supervisor(one: InstanceRecord) -> None:
    """The kernel connects, nobody answers: NotRunning after the timeout, not later."""
    with Imposter(one.socket, None):
        began = time.monotonic()
        with Client(one, timeout=0.2) as frozen, pytest.raises(NotRunning, match="no answer in time"):
            frozen.call("snapshot")
        assert client.snapshot(one, timeout=0.2).state == "unreachable"
        assert 0.4 <= time.monotonic() - began < 2


def test_full_backlog(one: InstanceRecord) -> None:
    """Connecting doesn't wait for a supervisor that accepts nobody."""
    with listen(one.socket) as listener:
        listener.listen(0)
        began = time.monotonic()
        with Client(one), pytest.raises(NotRunning, match="no answer in time"):
            Client(one)
        assert time.monotonic() - began < 1


GOOD = {"jsonrpc": "2.0", "portsup": 1, "id": 1, "result": {}}


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"hello\n",
        b"\xff\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        json.dumps(GOOD)[:-1].encode(),
        json.dumps(GOOD | {"portsup": 2}).encode() + b"\n",
        json.dumps(GOOD | {"id": 7}).encode() + b"\n",
        json.dumps(GOOD | {"id": [1]}).encode() + b"\n",
        json.dumps({**GOOD, "id": None}).encode() + b"\n",
        json.dumps({"jsonrpc": "2.0", "portsup": 1, "id": 1}).encode() + b"\n",
        json.dumps(
            {"jsonrpc": "2.0", "portsup": 1, "id": 1, "error": {"code": -32000, "message": "x"}}
        ).encode()
        + b"\n",
    ],
    ids=lambda reply: repr(reply[:60]),
)
def test_reply_that_is_none(one: InstanceRecord, reply: bytes) -> None:
    """Whatever answers there, the command gets NotRunning, and the snapshot says unreachable."""
    with Imposter(one.socket, reply):
        with Client(one) as confused, pytest.raises(NotRunning, match="cannot reach instance 1 of test"):
            confused.call("snapshot")
        assert client.snapshot(one).state == "unreachable"


def test_reply_without_an_end(one: InstanceRecord) -> None:
    """Only so much is read of an answer that doesn't end, then it counts as none."""
    with (
        Imposter(one.socket, b"x" * (protocol.MAX_REPLY + 1_000_000)),
        Client(one) as confused,
        pytest.raises(NotRunning, match="its answer has no end"),
    ):
        confused.call("snapshot")


@pytest.mark.parametrize("answer", [{}, [], None, 5, "x", {"instance": 1, "services": 3, "supervisor": None}])
def test_snapshot_that_is_none(one: InstanceRecord, answer: Any) -> None:
    """A result that isn't a snapshot counts as no answer."""
    with Imposter(one.socket, json.dumps(GOOD | {"result": answer}).encode() + b"\n"):
        assert client.snapshot(one).state == "unreachable"


def test_late_answer_is_skipped(loop: Loop, one: InstanceRecord) -> None:
    """After a call that timed out the connection still pairs each answer with its request."""
    gate = asyncio.Event()

    async def dispatch(method: str, params: Any) -> Any:
        if method == "env":
            await gate.wait()
        return {"method": method}

    async def open_gate() -> None:
        gate.set()

    loop.serve(Path(one.socket), dispatch)
    with Client(one) as asking:
        with pytest.raises(NotRunning, match="no answer in time"):
            asking.call("env", timeout=0.05)
        loop.run(open_gate())
        assert asking.call("snapshot") == {"method": "snapshot"}


def test_wait_sends_its_timeout(loop: Loop, one: InstanceRecord) -> None:
    """The supervisor is told how long to wait; the client waits a little longer."""

    async def dispatch(method: str, params: Any) -> Any:
        return [method, dict(params)]

    loop.serve(Path(one.socket), dispatch)
    with Client(one) as asking:
        assert asking.wait(1.5) == ["wait", {"timeout": 1.5}]
        assert asking.wait(None) == ["wait", {"timeout": None}]


def test_what_is_answered_when_done_has_no_limit(loop: Loop, one: InstanceRecord) -> None:
    """A restart may take longer than the client's timeout; a snapshot may not."""

    async def dispatch(method: str, params: Any) -> Any:
        await asyncio.sleep(0.3)
        return {}

    loop.serve(Path(one.socket), dispatch)
    with Client(one, timeout=0.1) as asking:
        assert asking.call("restart", services=["api"]) == {}
        with pytest.raises(NotRunning, match="no answer in time"):
            asking.call("snapshot")
        with pytest.raises(NotRunning, match="no answer in time"):
            asking.call("restart", services=["api"], timeout=0.1)


def test_supervisor_that_dies_during_a_call(one: InstanceRecord) -> None:
    """A connection that breaks off is NotRunning, also for a call without a limit."""
    with (
        Imposter(one.socket, b""),
        Client(one) as asking,
        pytest.raises(NotRunning, match="closed the connection"),
    ):
        asking.call("restart")


def test_refusal_is_no_instance_down(loop: Loop, one: InstanceRecord) -> None:
    """An error of the protocol is the supervisor's answer: PortsupError, and not NotRunning."""
    loop.serve(Path(one.socket), Instance(one).dispatch)
    with (
        Client(one) as asking,
        pytest.raises(PortsupError, match="there is no method 'frobnicate'") as caught,
    ):
        asking.call("frobnicate")
    assert not isinstance(caught.value, NotRunning)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_socket_of_another_user_is_not_trusted(one: InstanceRecord) -> None:
    """A record that says it is ours, with a socket on which somebody else listens, is not asked."""
    script = """
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
os.seteuid(65534)
listener.listen()
print("listening", flush=True)
sys.stdin.read()
"""
    arguments = [sys.executable, "-I", "-S", "-c", script, one.socket]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "listening\n"
        with pytest.raises(NotRunning, match="another user's process listens"):
            Client(one)
        assert client.snapshot(one).state == "unreachable"
        process.communicate()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_users_instance_is_not_asked(loop: Loop, one: InstanceRecord) -> None:
    """Who may not ask says whose it is, and doesn't try. (Run as nobody, in a process of its own.)"""
    script = """
import os, sys
from supervisor import records
from supervisor.control import client
from supervisor.errors import NotRunning
record = records.decode(sys.stdin.buffer.read())
os.seteuid(65534)
try:
    client.Client(record)
except NotRunning as failure:
    print(failure.message, client.snapshot(record).state, sep="; ")
"""
    loop.serve(Path(one.socket), Instance(one).dispatch)
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=records.encode(one),
        cwd=ROOT,
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert done.stdout == b"cannot reach instance 1 of test: it belongs to the user with uid 0; unreachable\n"


def test_refused_client_closes_its_socket(one: InstanceRecord) -> None:
    """A failed connection leaves no descriptor open (a ResourceWarning would fail this)."""
    for _ in range(10):
        with pytest.raises(NotRunning):
            Client(one)
    gc.collect()


def test_an_instance_that_has_just_claimed_its_number(loop: Loop, one: InstanceRecord) -> None:
    """It is starting until its control socket is there, and `reach` waits for that."""
    young = record(Path(one.config).parent, acquired_at=time.time())
    assert client.snapshot(young).state == "starting"
    instance = Instance(young, (service("api", 6000),))
    timer = threading.Timer(0.1, lambda: loop.serve(Path(young.socket), instance.dispatch))
    timer.start()
    try:
        with client.reach(young) as connection:
            assert connection.call("snapshot")["state"] == "running"
    finally:
        timer.join()


def test_reach_does_not_wait_for_ever(one: InstanceRecord) -> None:
    """An instance that isn't young any more has lost its socket."""
    with pytest.raises(NotRunning, match="its control socket is gone"):
        client.reach(one)
