"""The probe: sees every listener, and nothing that would not be in a server's way."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from claims import NOBODY, another_user, needs_root
from harness import foreigner

from supervisor.errors import PortsupError
from supervisor.ports.probe import is_free

REUSE_PORT = """
import socket, sys
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
server.bind(("127.0.0.1", int(sys.argv[1])))
server.listen()
print("listening", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("hosts", [("127.0.0.1",), ("0.0.0.0",), ("::1",), ("::",), ("127.0.0.1", "::1")])
def test_every_listener_is_seen(ports_block: int, hosts: tuple[str, ...]) -> None:
    """Whatever address somebody listens on, the port isn't free; next door is."""
    with foreigner(ports_block, *hosts):
        assert not is_free(ports_block)
        assert is_free(ports_block + 1)
    assert is_free(ports_block)


def test_a_listener_that_shares_its_port_is_seen(ports_block: int) -> None:
    """SO_REUSEADDR and SO_REUSEPORT of the other side don't hide it."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", REUSE_PORT, str(ports_block)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        try:
            assert process.stdout is not None and process.stdout.readline() == b"listening\n"
            assert not is_free(ports_block)
        finally:
            process.kill()


def test_time_wait_is_looked_past(ports_block: int) -> None:
    """A server that closed its connections first leaves TIME_WAIT behind, and a free port."""
    with socket.create_server(("127.0.0.1", ports_block)) as server:
        client = socket.create_connection(("127.0.0.1", ports_block))
        accepted, _ = server.accept()
        accepted.close()
        assert client.recv(1) == b""
        client.close()
    local = f":{ports_block:04X} "
    states = [line.split()[3] for line in Path("/proc/net/tcp").read_text().splitlines() if local in line]
    assert "06" in states, "there is no TIME_WAIT to look past"
    assert is_free(ports_block)


def test_nothing_stays_bound(ports_block: int) -> None:
    """A server can bind right after the probe."""
    for port in range(ports_block, ports_block + 50):
        assert is_free(port)
        socket.create_server(("", port), reuse_port=False).close()


@needs_root
@pytest.mark.skipif(
    int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) < 1024,
    reason="this machine lets everybody bind low ports",
)
def test_a_port_that_may_not_be_bound() -> None:
    """Below 1024 the error names the port and what would be right."""
    with another_user(), pytest.raises(PortsupError, match="cannot use port 1023") as caught:
        is_free(1023)
    assert caught.value.hint and "1023" in caught.value.hint
    assert os.geteuid() != NOBODY
