"""What the aggregated health makes of states and answers. Pure."""

from __future__ import annotations

import pytest

from supervisor.loopback.host_check import LOCAL_HOST
from supervisor.snapshot import InstanceSnapshot
from supervisor.web import health


def instance(state: str) -> InstanceSnapshot:
    return InstanceSnapshot(
        instance=1,
        instance_id="test-1-abc123",
        stack="test",
        config="/test/services.toml",
        base_port=6000,
        state=state,
        supervisor_pid=1,
        supervisor_started=0.0,
    )


@pytest.mark.parametrize(
    ("state", "statuses", "whole"),
    [
        ("running", ["ok", "ok"], "ok"),
        ("running", ["ok", "unknown", "running"], "ok"),
        ("running", ["ok", "stopped", "exited"], "ok"),
        ("running", ["ok", "failing"], "degraded"),
        ("running", ["ok", "unreachable"], "degraded"),
        ("degraded", ["ok", "fatal"], "degraded"),
        ("starting", ["ok", "starting"], "degraded"),
        ("starting", ["ok", "pending"], "degraded"),
        ("degraded", ["ok", "backoff"], "degraded"),
        ("stopping", ["ok", "stopping"], "degraded"),
        ("unreachable", ["ok"], "degraded"),
        ("dead", ["ok"], "degraded"),
        ("running", ["failing", "unreachable"], "down"),
        ("running", ["stopped"], "down"),
        ("running", [], "down"),
    ],
)
def test_overall(state: str, statuses: list[str], whole: str) -> None:
    """One bad service degrades the whole; where none is well it is down."""
    assert health.overall([instance(state)], statuses) == whole


def test_nothing_runs() -> None:
    """A machine without instances is not a healthy one."""
    assert health.overall([], []) == "down"


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost:80", "127.0.0.1", "127.0.0.1:9000", "[::1]", "[::1]:9000"]
)
def test_local_host(host: str) -> None:
    """This machine's own names are let in, with any port."""
    assert LOCAL_HOST.fullmatch(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "example.com",
        "localhost.example.com",
        "127.0.0.1.example.com",
        "example.com:127.0.0.1",
        "127x0.0.1",
        "localhost:",
        "localhost:9000:1",
        "localhost\n",
        "127.0.0.1@example.com",
        "[::1]x",
        "::1",
        "localhost:999999",
    ],
)
def test_foreign_host(host: str) -> None:
    """Everything else is not."""
    assert not LOCAL_HOST.fullmatch(host)


@pytest.mark.parametrize(
    "raw",
    [b"{", b"NaN", b'{"x": 1e999}', b"[" * 51 + b"]" * 51, b"[" * 8000 + b"]" * 8000, b" " * 20_000],
    ids=["torn", "NaN", "infinite", "deep", "very deep", "long"],
)
def test_a_body_that_is_not_passed_on(raw: bytes) -> None:
    """What we couldn't write as JSON again is left out: one service must not spoil the whole answer."""
    assert health._json(raw) is None


def test_a_body_that_is_passed_on() -> None:
    """Fifty levels, and numbers of all kinds."""
    assert health._json(b'{"x": [1, 1.5, -1e3, null]}') == {"x": [1, 1.5, -1000.0, None]}
    assert health._json(b"[" * 50 + b"]" * 50) is not None


@pytest.mark.parametrize("url", ["http://127.0.0.1:6000", "http://localhost:80", "http://[::1]:65535"])
def test_a_service_s_url(url: str) -> None:
    """Those of this machine are asked."""
    assert health.is_local(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest?",
        "http://127.0.0.1:80/admin?",
        "http://127.0.0.1:80@elsewhere",
        "http://127.0.0.1:65536",
        "http://127.0.0.1:-1",
        "http://[::",
        "file:///etc/passwd",
    ],
)
def test_a_url_that_leads_elsewhere(url: str) -> None:
    """Whoever answers as an instance can't have the server ask anybody else, or for anything else."""
    assert not health.is_local(url)
