"""scripts/sample_service.py: the service of the sample stack."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
from harness import SAMPLE_SERVICE, health


@pytest.fixture
def service(ports_block: int) -> Iterator[subprocess.Popen[str]]:
    environ = {
        **os.environ,
        "PORT": str(ports_block),
        "PORTSUP_SERVICE": "groq-api",
        "PORTSUP_INSTANCE": "3",
    }
    command = [sys.executable, "-I", "-S", str(SAMPLE_SERVICE)]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == f"groq-api listening on http://127.0.0.1:{ports_block}\n"
            yield process
        finally:
            process.kill()


def test_tells_who_it_is(service: subprocess.Popen[str], ports_block: int) -> None:
    """The health answer names service, instance, port and pid."""
    assert health(ports_block) == {
        "service": "groq-api",
        "instance": 3,
        "port": ports_block,
        "pid": service.pid,
        "status": "ok",
    }


def test_knows_no_other_path(service: subprocess.Popen[str], ports_block: int) -> None:
    """Any other path is a 404."""
    assert health(ports_block, "/api/other") is None
    assert health(ports_block, "/api/health?verbose=1") is not None


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_stops_orderly(service: subprocess.Popen[str], ports_block: int, signum: int) -> None:
    """A request that is under way when the signal comes is answered; then it exits with 0."""
    with socket.create_connection(("127.0.0.1", ports_block), timeout=5) as half:
        half.sendall(b"GET /api/health HTTP/1.0\r\n")
        assert health(ports_block), "accepts in order, so the half request is in hand by now"
        service.send_signal(signum)
        half.sendall(b"\r\n")
        answer = b"".join(iter(lambda: half.recv(4096), b""))
    assert b'"status": "ok"' in answer
    assert service.wait(5) == 0
