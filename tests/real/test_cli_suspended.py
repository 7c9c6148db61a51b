"""An instance that somebody suspended with Ctrl-Z: it is told at once, and how to go on."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest
from harness import Background, Portsup, wait_until, write_stack

from supervisor.platform import os_facts


@pytest.fixture
def suspended(portsup: Portsup, ports_block: int) -> Iterator[Background]:
    """`up` in the foreground, its process group stopped as a terminal would on Ctrl-Z."""
    write_stack(portsup.cwd, {"web": {"pool": {"offset": 0, "size": 1}}}, base_port=ports_block)
    running = portsup.up("-i", "1")
    pid = portsup.wait_for_services(1)["supervisor"]["pid"]
    os.killpg(running.process.pid, signal.SIGSTOP)
    try:
        wait_until(lambda: _is_stopped(pid), 5, "the supervisor to stop")
        yield running
    finally:
        if running.process.poll() is None:
            os.killpg(running.process.pid, signal.SIGCONT)


def _is_stopped(pid: int) -> bool:
    found = os_facts.process(pid)
    return found is not None and found.state == "T"


def test_it_is_shown(suspended: Background, portsup: Portsup) -> None:
    """Not as unreachable, and without waiting for an answer that can't come."""
    began = time.monotonic()
    assert [row["state"] for row in portsup.ask("ps")["instances"]] == ["suspended"]
    assert "is suspended (Ctrl-Z); `fg` in its terminal wakes it" in portsup.run("status").stdout
    assert time.monotonic() - began < 4  # each waits two seconds for an instance that doesn't answer


@pytest.mark.parametrize(
    "arguments", [("down",), ("down", "--all"), ("restart", "web"), ("env",)], ids=" ".join
)
def test_what_needs_its_answer_fails_at_once(
    arguments: tuple[str, ...], suspended: Background, portsup: Portsup
) -> None:
    """With the way to wake it."""
    began = time.monotonic()
    done = portsup.run(*arguments)
    assert time.monotonic() - began < 4  # the shortest of them waits five for an answer
    assert done.returncode == 1
    assert "is suspended" in done.stderr and "`fg` in its terminal" in done.stderr


def test_the_hint_wakes_guard_and_supervisor(suspended: Background, portsup: Portsup) -> None:
    """The command that it names is enough for `down` to work."""
    found = re.search(r"`(kill -CONT \S+)`", portsup.run("down").stderr)
    assert found is not None
    subprocess.run(["sh", "-c", found[1]], check=True)
    assert portsup.run("down").returncode == 0
    assert suspended.wait() == 0
