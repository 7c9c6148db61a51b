"""Fault 18: control socket: garbage, a half message, 1 MB line, 200 clients, a client that never reads.

Error reply or disconnect, instance unharmed.
"""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psutil
import pytest
from harness import Home, Portsup, health, private_bytes, until_hung_up, wait_until, write_stack

from supervisor.control import protocol

SNAPSHOT = protocol.request(1, "snapshot", {})
GROWTH_MAX = 24 << 20
CLIENTS = 200


@dataclass(frozen=True)
class Target:
    """A running instance, as it was before anybody was rude to it."""

    portsup: Portsup
    port: int
    supervisor: psutil.Process
    child: int
    descriptors: int
    memory: int

    @property
    def path(self) -> str:
        (socket_file,) = (self.portsup.home.folder / "run").rglob("*.sock")
        return str(socket_file)

    @contextlib.contextmanager
    def client(self) -> Iterator[socket.socket]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(20)
            connection.connect(self.path)
            yield connection

    def assert_unharmed(self) -> None:
        """It answers, its child is the same, and nobody has left anything behind."""
        (web,) = self.portsup.instance(1)["services"]
        assert (web["state"], web["pid"], web["restarts"]) == ("RUNNING", self.child, 0)
        assert health(self.port)
        wait_until(lambda: self.supervisor.num_fds() == self.descriptors, 10, "its descriptors to be closed")
        assert private_bytes(self.supervisor.pid) - self.memory < GROWTH_MAX
        assert not [event for event in self.portsup.home.events() if event["level"] in ("warning", "error")]


@pytest.fixture
def target(portsup: Portsup, portsup_home: Home, ports_block: int) -> Iterator[Target]:
    write_stack(portsup.cwd, {"web": {"pool": {"offset": 0, "size": 1}}}, base_port=ports_block)
    running = portsup.up("-i", "1")
    instance = portsup.wait_for_services(1)
    supervisor = psutil.Process(instance["supervisor"]["pid"])
    until_hung_up(portsup.home)  # whoever asked for the instance has left, and the server may not know yet
    memory, descriptors = private_bytes(supervisor.pid), supervisor.num_fds()
    yield Target(portsup, ports_block, supervisor, instance["services"][0]["pid"], descriptors, memory)
    assert "Traceback" not in running.stderr
    assert portsup.run("down").returncode == 0
    assert running.wait() == 0


def answers(connection: socket.socket) -> list[dict[str, Any]]:
    """All that it still says until it hangs up."""
    data = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while chunk := connection.recv(1 << 16):
            data += chunk
    return [json.loads(line) for line in data.splitlines()]


def send(connection: socket.socket, *data: bytes) -> None:
    """Be it that it hangs up meanwhile."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        for part in data:
            connection.sendall(part)
        connection.shutdown(socket.SHUT_WR)


RUDE: dict[str, tuple[bytes, int]] = {
    "bytes": (b"\x00\xff\xfe\x80" * 50 + b"\n", protocol.PARSE_ERROR),
    "http": (b"GET / HTTP/1.1\r\n", protocol.PARSE_ERROR),
    "nested": (b"[" * 500_000 + b"\n", protocol.PARSE_ERROR),
    "no-object": (b'"snapshot"\n', protocol.INVALID_REQUEST),
    "no-method": (protocol.request(1, "shutdown -h now", {}), protocol.METHOD_NOT_FOUND),
    "wrong-params": (protocol.request(1, "stop", {"services": {"web": 1}}), protocol.INVALID_PARAMS),
    "no-service": (protocol.request(1, "restart", {"services": ["../../etc"]}), protocol.FAILED),
    "1-MB-line": (b"x" * (protocol.MAX_LINE + 1) + b"\n", protocol.INVALID_REQUEST),
    "no-end": (b"x" * (10 << 20), protocol.INVALID_REQUEST),
}


def test_garbage(target: Target) -> None:
    """Each is answered with its error; where a line can't be trusted to end, nothing more is read."""
    for name, (sent, code) in RUDE.items():
        with target.client() as connection:
            send(connection, sent, SNAPSHOT)
            first, *more = answers(connection)
            assert first["error"]["code"] == code, name
            assert "Traceback" not in json.dumps(first)
            hung_up = len(sent) > protocol.MAX_LINE
            assert [one["id"] for one in more] == ([] if hung_up else [1]), name
    target.assert_unharmed()


def test_the_longest_line(target: Target) -> None:
    """1 MB is still a request, and is answered as one."""
    bare = len(protocol.request(1, "env", {"service": ""})) - 1
    sent = protocol.request(1, "env", {"service": "x" * (protocol.MAX_LINE - bare)})
    with target.client() as connection:
        send(connection, sent)
        (answer,) = answers(connection)
    assert answer["error"]["code"] == protocol.FAILED
    target.assert_unharmed()


def test_half_a_message(target: Target) -> None:
    """Whoever leaves in the middle is forgotten; whoever just stays silent there keeps nobody waiting."""
    for cut in (1, len(SNAPSHOT) // 2, len(SNAPSHOT) - 1):
        with target.client() as connection:
            send(connection, SNAPSHOT[:cut])
            assert answers(connection) == []
    with target.client() as silent:
        silent.sendall(SNAPSHOT[:-1])
        assert target.portsup.run("status").returncode == 0
        silent.sendall(SNAPSHOT[-1:])
        assert json.loads(silent.recv(1 << 16))["id"] == 1
    target.assert_unharmed()


def test_two_hundred_clients(target: Target) -> None:
    """All at once, and all are answered."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(target.client()) for _ in range(CLIENTS)]
        for number, client in enumerate(clients):
            client.sendall(protocol.request(number, "snapshot", {}))
        for number, client in enumerate(clients):
            answer = json.loads(client.makefile("rb").readline())
            assert answer["id"] == number and answer["result"]["services"][0]["state"] == "RUNNING"
        assert target.portsup.run("status").returncode == 0
    target.assert_unharmed()


def test_a_client_that_never_reads(target: Target) -> None:
    """It is hung up on after a while; others are served meanwhile."""
    with target.client() as greedy:
        greedy.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            for number in range(1_000_000):
                greedy.send(protocol.request(number, "env", {}))
        assert target.portsup.run("status").returncode == 0
        assert private_bytes(target.supervisor.pid) - target.memory < GROWTH_MAX
        wait_until(lambda: is_dropped(greedy), 20, "the server to hang up")
    target.assert_unharmed()


def is_dropped(connection: socket.socket) -> bool:
    try:
        connection.send(b"\n")
    except BlockingIOError:
        return False
    except OSError:
        return True
    return False
