"""The control socket under friendly and unfriendly clients (faults 18 and 19)."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from harness import ROOT, Home, wait_until
from stand_in import Loop, raw_connection, record

from supervisor.control import protocol, server
from supervisor.control.client import Client
from supervisor.control.server import ControlServer
from supervisor.errors import NoFreePort, NotRunning, PortsupError
from supervisor.records import InstanceRecord

BIG = "x" * 500_000


class Dispatch:
    """Methods that a supervisor has, and some that only a test wants."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.waiting = 0
        self.seen: list[str] = []

    async def __call__(self, method: str, params: Mapping[str, Any]) -> Any:
        self.seen.append(method)
        if method in ("wait", "start"):
            return await self._wait()
        if method == "snapshot":
            return {"echo": dict(params)}
        if method == "env":
            return {"BIG": BIG}
        if method == "down":
            raise NoFreePort("no port", details=["9000  taken"], hint="look at it")
        if method == "stop":
            raise ValueError("services must be a list of names")
        if method == "stats":
            return {"median": float("nan")}
        if method == "restart":
            raise RuntimeError("the secret is 1234")
        raise KeyError(method)

    async def _wait(self) -> Any:
        self.waiting += 1
        try:
            await self.gate.wait()
        finally:
            self.waiting -= 1
        return {"ready": True, "failed": []}

    async def open(self) -> None:
        self.gate.set()


@pytest.fixture
def dispatch() -> Dispatch:
    return Dispatch()


@pytest.fixture
def instance(loop: Loop, dispatch: Dispatch, portsup_home: Home) -> InstanceRecord:
    """A served instance."""
    one = record(portsup_home.folder)
    loop.serve(Path(one.socket), dispatch)
    return one


def exchange(instance: InstanceRecord, sent: bytes) -> list[dict[str, Any]]:
    """Send `sent`, hang up our side, and read all answers until the server closes."""
    with raw_connection(instance.socket) as connection:
        try:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # closed before it took everything
        return read_answers(connection)


def read_answers(connection: socket.socket) -> list[dict[str, Any]]:
    data = bytearray()
    try:
        while chunk := connection.recv(65536):
            data += chunk
    except ConnectionResetError:
        pass  # it closed with something of ours unread
    return [json.loads(line) for line in data.splitlines()]


def test_answers_a_call(instance: InstanceRecord) -> None:
    """A method gets its params, its result comes back, on one connection again and again."""
    with Client(instance) as client:
        for number in range(3):
            assert client.call("snapshot", number=number) == {"echo": {"number": number}}


def test_modes(instance: InstanceRecord) -> None:
    """The socket is ours alone, and so is its folder."""
    path = Path(instance.socket)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_failure_arrives_whole(instance: InstanceRecord) -> None:
    """A PortsupError of the supervisor is raised again at the command."""
    with Client(instance) as client, pytest.raises(PortsupError) as caught:
        client.call("down")
    assert (
        caught.value.to_json() == NoFreePort("no port", details=["9000  taken"], hint="look at it").to_json()
    )


@pytest.mark.parametrize(
    ("method", "code", "words"),
    [
        ("frobnicate", protocol.METHOD_NOT_FOUND, "there is no method 'frobnicate'"),
        ("stop", protocol.INVALID_PARAMS, "services must be a list of names"),
        ("restart", protocol.INTERNAL_ERROR, "RuntimeError"),
        ("stats", protocol.INTERNAL_ERROR, "ValueError"),
    ],
)
def test_errors_of_dispatch(instance: InstanceRecord, method: str, code: int, words: str) -> None:
    """Each kind of exception has its code; of a bug only its class's name leaves the supervisor."""
    (answer,) = exchange(instance, protocol.request(1, method, {}))
    assert answer["id"] == 1
    assert answer["error"]["code"] == code
    assert words in answer["error"]["message"]
    assert "secret" not in json.dumps(answer) and "Traceback" not in json.dumps(answer)


def test_bug_is_reported_inside(loop: Loop, dispatch: Dispatch, portsup_home: Home) -> None:
    """The supervisor hears of a bug with its method, so that it can be logged."""
    bugs: list[tuple[str, Exception]] = []
    one = record(portsup_home.folder)
    loop.serve(Path(one.socket), dispatch, on_bug=lambda method, bug: bugs.append((method, bug)))
    with Client(one) as client, pytest.raises(PortsupError, match="RuntimeError"):
        client.call("restart")
    assert [(method, type(bug)) for method, bug in bugs] == [("restart", RuntimeError)]


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"\n", protocol.PARSE_ERROR),
        (b"GET / HTTP/1.1\r\n", protocol.PARSE_ERROR),
        (b"\x00\xff\xfe\n", protocol.PARSE_ERROR),
        (b"[" * 200_000 + b"\n", protocol.PARSE_ERROR),
        (b'{"jsonrpc": "2.0", "portsup": 9, "id": 1, "method": "snapshot"}\n', protocol.INVALID_REQUEST),
        (b"[" + protocol.request(1, "snapshot", {})[:-1] + b"]\n", protocol.INVALID_REQUEST),
    ],
)
def test_garbage_is_answered_and_forgiven(instance: InstanceRecord, sent: bytes, code: int) -> None:
    """Nonsense gets an error, and the next request on the same connection its answer."""
    bad, good = exchange(instance, sent + protocol.request(2, "snapshot", {}))
    assert bad["error"]["code"] == code
    assert good["result"] == {"echo": {}}


def test_half_message_is_dropped(instance: InstanceRecord) -> None:
    """A client that leaves in the middle of a line gets nothing, and the next one is served."""
    assert exchange(instance, protocol.request(1, "snapshot", {})[:-10]) == []
    assert len(exchange(instance, protocol.request(1, "snapshot", {}))) == 1


def padded(length: int) -> bytes:
    """A request whose line, without its end, has `length` bytes."""
    bare = len(protocol.request(1, "snapshot", {"pad": ""})) - 1
    return protocol.request(1, "snapshot", {"pad": "x" * (length - bare)})


def test_longest_line(instance: InstanceRecord) -> None:
    """A line of exactly 1 MiB is answered."""
    (answer,) = exchange(instance, padded(protocol.MAX_LINE))
    assert len(answer["result"]["echo"]["pad"]) > protocol.MAX_LINE - 200


@pytest.mark.parametrize(
    "sent", [padded(protocol.MAX_LINE + 1), b"x" * 10_000_000], ids=["by one", "endless"]
)
def test_too_long_line(instance: InstanceRecord, sent: bytes) -> None:
    """A longer line gets an error and the connection is closed; the instance is unharmed."""
    (answer,) = exchange(instance, sent)
    assert answer["error"]["code"] == protocol.INVALID_REQUEST
    assert "1048576" in answer["error"]["message"]
    assert len(exchange(instance, protocol.request(1, "snapshot", {}))) == 1


def test_pipeline_is_answered_in_order(instance: InstanceRecord) -> None:
    """Requests that come all at once are answered one after the other."""
    sent = b"".join(protocol.request(number, "snapshot", {}) for number in range(500))
    assert [answer["id"] for answer in exchange(instance, sent)] == list(range(500))


def test_slow_call_blocks_its_own_connection_only(
    loop: Loop, dispatch: Dispatch, instance: InstanceRecord
) -> None:
    """While one client waits, another is answered; the first one's next request keeps its place."""
    with raw_connection(instance.socket) as first:
        first.sendall(protocol.request(1, "start", {}) + protocol.request(2, "snapshot", {}))
        wait_until(lambda: dispatch.waiting, 5)
        with Client(instance) as second:
            assert second.call("snapshot") == {"echo": {}}
        loop.run(dispatch.open())
        first.shutdown(socket.SHUT_WR)
        assert [answer["id"] for answer in read_answers(first)] == [1, 2]


def test_two_hundred_clients(instance: InstanceRecord) -> None:
    """All are connected at the same time, and all are answered."""
    clients = [Client(instance) for _ in range(200)]
    try:
        ids = [client.ask("snapshot", {"number": number}) for number, client in enumerate(clients)]
        answers = [
            client.answer(id_, time.monotonic() + 20) for client, id_ in zip(clients, ids, strict=True)
        ]
        assert [answer["echo"]["number"] for answer in answers] == list(range(200))
    finally:
        for client in clients:
            client.close()


def test_one_client_too_many(
    loop: Loop, dispatch: Dispatch, portsup_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the limit a client is told so; when one leaves, the next is served."""
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 3)
    one = record(portsup_home.folder)
    loop.serve(Path(one.socket), dispatch)
    clients = [Client(one) for _ in range(3)]
    try:
        for client in clients:
            assert client.call("snapshot") == {"echo": {}}
        with Client(one) as late:
            with raw_connection(one.socket) as watching:
                read_answers(watching)  # so that `late`, who came before, is refused by now
            with pytest.raises(PortsupError, match="3 clients are connected already"):
                late.call("snapshot")
    finally:
        for client in clients:
            client.close()

    def served() -> bool:
        try:
            with Client(one) as client:
                return bool(client.call("snapshot"))
        except PortsupError:
            return False

    assert wait_until(served, 5)


def memory() -> int:
    """Bytes of this process that are resident."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_client_that_never_reads(
    loop: Loop, dispatch: Dispatch, portsup_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is dropped after a while; meanwhile memory stays flat and others are served."""
    monkeypatch.setattr(server, "DRAIN_SECONDS", 0.3)
    one = record(portsup_home.folder)
    loop.serve(Path(one.socket), dispatch)
    with Client(one) as friend, raw_connection(one.socket) as greedy:
        assert friend.call("env")["BIG"] == BIG
        before = memory()
        for number in range(200):
            greedy.sendall(protocol.request(number, "env", {}))
        assert friend.call("snapshot") == {"echo": {}}
        wait_until(lambda: _is_dropped(greedy), 10, "the server to drop it")
        assert dispatch.seen.count("env") < 10
        assert memory() - before < 20_000_000
        assert friend.call("snapshot") == {"echo": {}}


def _is_dropped(connection: socket.socket) -> bool:
    try:
        connection.send(b"\n", socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return False


def test_wait_is_given_up_when_the_caller_hangs_up(
    loop: Loop, dispatch: Dispatch, instance: InstanceRecord
) -> None:
    """Nobody waits on behalf of a command that is gone."""
    with raw_connection(instance.socket) as connection:
        connection.sendall(protocol.request(1, "wait", {"timeout": None}))
        wait_until(lambda: dispatch.waiting == 1, 5)
    wait_until(lambda: dispatch.waiting == 0, 5)
    wait_until(lambda: loop.tasks() == 0, 5, "its tasks to end")


def test_change_is_carried_through_when_the_caller_hangs_up(
    loop: Loop, dispatch: Dispatch, instance: InstanceRecord
) -> None:
    """A start that has begun goes on without its command."""
    with raw_connection(instance.socket) as connection:
        connection.sendall(protocol.request(1, "start", {}))
        wait_until(lambda: dispatch.waiting == 1, 5)
    with Client(instance) as other:
        assert other.call("snapshot") == {"echo": {}}
    assert dispatch.waiting == 1
    loop.run(dispatch.open())
    wait_until(lambda: loop.tasks() == 0, 5, "its tasks to end")


def test_close_answers_what_is_under_way(loop: Loop, dispatch: Dispatch, portsup_home: Home) -> None:
    """A call that is under way is answered, idle clients are let go, nobody new gets in."""
    one = record(portsup_home.folder)
    control = loop.serve(Path(one.socket), dispatch)
    with Client(one) as idle, raw_connection(one.socket) as busy:
        assert idle.call("snapshot") == {"echo": {}}
        busy.sendall(protocol.request(1, "wait", {}) + protocol.request(2, "snapshot", {}))
        wait_until(lambda: dispatch.waiting, 5)
        closed = loop.start(control.close())
        with pytest.raises(NotRunning, match="it closed the connection"):
            idle.call("snapshot")
        loop.run(dispatch.open())
        closed()
        assert [answer["id"] for answer in read_answers(busy)] == [1]
    with pytest.raises(NotRunning):
        Client(one)
    assert not Path(one.socket).exists()
    assert loop.tasks() == 0


def test_close_does_not_wait_for_long(loop: Loop, dispatch: Dispatch, portsup_home: Home) -> None:
    """A call that doesn't end is cut off after a second."""
    one = record(portsup_home.folder)
    control = loop.serve(Path(one.socket), dispatch)
    with raw_connection(one.socket) as busy:
        busy.sendall(protocol.request(1, "wait", {}))
        wait_until(lambda: dispatch.waiting, 5)
        began = time.monotonic()
        loop.run(control.close())
        assert 0.9 < time.monotonic() - began < 3
        assert read_answers(busy) == []
    assert dispatch.waiting == 0


def test_close_spares_a_successor(loop: Loop, dispatch: Dispatch, portsup_home: Home) -> None:
    """Only our own socket is unlinked, not what another put in its place."""
    one = record(portsup_home.folder)
    control = loop.serve(Path(one.socket), dispatch)
    Path(one.socket).unlink()
    Path(one.socket).write_text("somebody else's")
    loop.run(control.close())
    assert Path(one.socket).read_text() == "somebody else's"


def test_close_twice(loop: Loop, dispatch: Dispatch, portsup_home: Home) -> None:
    """Closing again, or without having started, does nothing."""
    one = record(portsup_home.folder)
    control = loop.serve(Path(one.socket), dispatch)
    loop.run(control.close())
    loop.run(control.close())
    loop.run(ControlServer(Path(one.socket), dispatch).close())
    assert not Path(one.socket).exists()


def test_stale_socket_is_replaced(loop: Loop, dispatch: Dispatch, portsup_home: Home) -> None:
    """What a killed supervisor left at the path doesn't keep the next one from listening."""
    one = record(portsup_home.folder)
    Path(one.socket).parent.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(one.socket)
    loop.serve(Path(one.socket), dispatch)
    with Client(one) as client:
        assert client.call("snapshot") == {"echo": {}}


def test_folder_that_others_can_open_is_shut(loop: Loop, dispatch: Dispatch, portsup_home: Home) -> None:
    """A folder of ours with a loose mode is made private before anything listens there."""
    one = record(portsup_home.folder)
    Path(one.socket).parent.mkdir(mode=0o755)
    loop.serve(Path(one.socket), dispatch)
    assert stat.S_IMODE(Path(one.socket).parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("obstacle", ["folder is a file", "path is a folder", "path is too long"])
def test_unusable_path_is_an_error(loop: Loop, portsup_home: Home, obstacle: str) -> None:
    """A socket that can't be made is a PortsupError that names the path."""
    path = portsup_home.folder / "sockets" / "1.sock"
    if obstacle == "folder is a file":
        path.parent.write_text("")
    elif obstacle == "path is a folder":
        path.mkdir(parents=True)
    else:
        path = path.with_name("x" * 200)
    with pytest.raises(PortsupError, match=r"cannot (listen on|use) .*sockets"):
        loop.serve(path, Dispatch())


AS_NOBODY = """
import socket, sys
connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
connection.settimeout(10)
connection.connect(sys.argv[1])
try:
    connection.sendall(sys.argv[2].encode() + b"\\n")
    print(len(connection.recv(65536)))
except ConnectionError:
    print(0)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_user_is_not_answered(instance: InstanceRecord) -> None:
    """Even where the modes let another user in, the kernel tells us who it is."""
    path = Path(instance.socket)
    path.chmod(0o666)
    path.parent.chmod(0o755)
    path.parent.parent.chmod(0o755)
    request = protocol.request(1, "snapshot", {}).decode().strip()
    done = subprocess.run(
        ["/usr/bin/env", "python3", "-I", "-S", "-c", AS_NOBODY, str(path), request],
        user=65534,
        env={"PATH": "/usr/bin:/bin"},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_client_needs_no_event_loop() -> None:
    """A command that asks an instance doesn't pay for asyncio, nor for threads."""
    script = "import sys, supervisor.control.registry; print({'asyncio', 'threading'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "set()\n"


def test_hundred_clients_come_and_go(loop: Loop, instance: InstanceRecord) -> None:
    """Connections that end, orderly or not, leave no task and no descriptor behind."""
    before = len(list(Path("/proc/self/fd").iterdir())) if sys.platform == "linux" else 0
    for number in range(100):
        with raw_connection(instance.socket) as connection:
            connection.sendall(protocol.request(1, "snapshot", {})[: 20 if number % 2 else None])
    wait_until(lambda: loop.tasks() == 0, 10, "all tasks to end")
    if sys.platform == "linux":
        wait_until(
            lambda: len(list(Path("/proc/self/fd").iterdir())) <= before, 5, "descriptors to be closed"
        )
    assert threading.active_count() < 5


def test_clients_that_come_as_it_closes(portsup_home: Home) -> None:
    """Each sees the end of its connection, and none is left half-made (asyncio would warn of that)."""
    path = portsup_home.folder / "sockets" / "1.sock"
    for _ in range(30):
        with Loop() as loop:
            loop.serve(path, Dispatch())
            clients = [raw_connection(path) for _ in range(3)]
        for client in clients:
            with client, suppress(ConnectionResetError):  # the kernel's word for one not yet accepted
                assert client.recv(1) == b""
    gc.collect()
