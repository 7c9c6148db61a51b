"""Fault 23: the clock jumps a day forward and back.

No restart, no timeout fires: each waits for as long as it should, no less and no more.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import pytest
from harness import MAY_SKIP, Background, Home, Portsup, assert_nothing_left, wait_until, write_stack

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)

pytestmark = pytest.mark.skipif(
    LIBRARY is None and MAY_SKIP, reason="needs libfaketime: apt install faketime"
)

DAY = 86_400.0
SECONDS = 3.0
"""Of each timeout that is waited for."""

PYTHON = [sys.executable, "-I", "-S", "-c"]
WATCHES = ["sh", "-c", "while :; do date +%s; sleep 0.1; done"]
STUBBORN = (
    "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\nsignal.pause()"
)


class Clock:
    """CLOCK_REALTIME of every process that is started from now on; the monotonic one stays as it is."""

    def __init__(self, folder: Path, environ: pytest.MonkeyPatch) -> None:
        self._offset = folder / "clock"
        self.jump(0)
        environ.setenv("LD_PRELOAD", str(LIBRARY))
        environ.setenv("FAKETIME_TIMESTAMP_FILE", str(self._offset))
        environ.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        environ.setenv("FAKETIME_NO_CACHE", "1")
        # Else the library moves the deadlines by which threads of one interpreter take turns.
        environ.setenv("FAKETIME_FORCE_MONOTONIC_FIX", "0")

    def jump(self, seconds: float) -> None:
        """So far from the real time, at once and everywhere."""
        new = self._offset.with_suffix(".new")
        new.write_text(f"{seconds:+.0f}\n")
        new.rename(self._offset)


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("jump", [DAY, -DAY], ids=["forward", "back"])
def test_no_timeout_fires(portsup: Portsup, clock: Clock, ports_block: int, jump: float) -> None:
    """ready.timeout, the wait of a backoff and stop.timeout, each while it is under way."""
    wait = f"{SECONDS:g}s"
    steady = {
        "web": {"pool": {"offset": 0, "size": 1}, "ready": {"http": "/api/health", "timeout": "60s"}},
        "watches": {"command": WATCHES},
        "stubborn": {"command": [*PYTHON, STUBBORN], "ready": {"log": "up"}, "stop": {"timeout": wait}},
    }
    waiting = {
        "crashes": {"command": ["false"], "backoff": {"initial": wait, "factor": 1, "limit": 100}},
        "slow": {"command": ["sleep", "99"], "ready": {"log": "never", "timeout": wait}, "restart": "no"},
    }
    services = steady | {name: keys | {"depends_on": [*steady]} for name, keys in waiting.items()}
    write_stack(portsup.cwd, services, base_port=ports_block)
    began = time.monotonic()
    running = portsup.up("-i", "1")

    wait_until(lambda: says(running, "slow", "started") and says(running, "crashes", "try 1 of 100"), 30)
    clock.jump(jump)
    jumped = time.monotonic()
    wait_until(lambda: says(running, "slow", "not ready within 3 s"), 20)
    wait_until(lambda: says(running, "crashes", "try 2 of 100"), 20)
    assert time.monotonic() - jumped > SECONDS / 2
    assert_sane(portsup, steady, began, ports_block)

    running.process.terminate()
    wait_until(lambda: says(running, "portsup", "stopping"), 10)
    clock.jump(0)
    jumped = time.monotonic()
    assert running.wait(30) == 143
    assert time.monotonic() - jumped > SECONDS / 2
    assert says(running, "stubborn", "did not end within 3 s")
    assert_was_real(portsup.home, jump)
    assert_nothing_left(portsup.home, [ports_block])


def says(running: Background, service: str, text: str) -> bool:
    return any(line.startswith(f"{service} ") and text in line for line in running.stderr.splitlines())


def assert_sane(portsup: Portsup, steady: Iterable[str], began: float, port: int) -> None:
    """What the commands show under the same clock: nobody was restarted, and ages are what they were."""
    answer = wait_until(lambda: portsup.instance(1)["services"], 20)  # a busy machine may not answer at once
    services = {service["name"]: service for service in answer}
    (row,) = portsup.ask("ps")["instances"]
    oldest = time.monotonic() - began + 0.1
    for name in steady:
        assert (services[name]["state"], services[name]["restarts"]) == ("RUNNING", 0), services[name]
        assert 0 < services[name]["uptime_s"] < oldest
    assert (services["web"]["port"], services["web"]["shield"]) == (port, "up")
    assert 0 < row["age_s"] < oldest


def assert_was_real(home: Home, jump: float) -> None:
    """Child and supervisor saw it, there and back."""
    printed = [float(line) for line in (home.logs() / "watches.log").read_text().split()]
    stamped = [datetime.fromisoformat(event["time"]).timestamp() for event in home.events()]
    for moments in (printed, stamped):
        offsets = [round((moment - time.time()) / jump) for moment in moments]
        assert offsets[0] == 0 and 1 in offsets, offsets
    assert offsets[-1] == 0, "the supervisor was there until after the jump back"
