"""What tables and announcements say alike."""

from __future__ import annotations

import pytest

from supervisor import shown
from supervisor.snapshot import ServiceSnapshot

SERVICE = ServiceSnapshot(
    name="web",
    state="RUNNING",
    ready=True,
    pid=7,
    ports={"metrics": 6050, "port": 6000},
    pools={},
    url="http://127.0.0.1:6000",
    shield="up",
    restarts=0,
    uptime_s=75.0,
    exit=None,
    reason=None,
)


@pytest.mark.parametrize(
    ("path", "text"),
    [("/home/a", "~"), ("/home/a/x", "~/x"), ("/home/ab", "/home/ab"), ("/srv", "/srv")],
)
def test_home_is_a_tilde(path: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the home itself and what is below it."""
    monkeypatch.setenv("HOME", "/home/a")
    assert shown.home_as_tilde(path) == text


def test_ports_and_outcome() -> None:
    """The main port first; the URL only while a process is there to answer."""
    assert shown.ports(SERVICE) == "6000 metrics:6050"
    assert shown.ports(SERVICE._replace(ports={})) == "-"
    assert shown.outcome(SERVICE) == "web RUNNING http://127.0.0.1:6000"
    assert (
        shown.outcome(SERVICE._replace(state="BACKOFF", pid=None, reason="code 1")) == "web BACKOFF: code 1"
    )
