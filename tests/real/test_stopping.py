"""Every way to end an instance: nothing is left, and the exit code says how."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import psutil
import pytest
from harness import Background, Home, Portsup, assert_nothing_left, wait_until, write_stack


@pytest.fixture
def ports(portsup: Portsup, ports_block: int) -> list[int]:
    """A stack of two sample services, one of which depends on the other; and their ports."""
    services = {
        "web": {"pool": {"offset": 0, "size": 2}},
        "job": {"pool": {"offset": 10, "size": 2}, "depends_on": ["web"]},
    }
    write_stack(portsup.cwd, services, base_port=ports_block)
    return [ports_block, ports_block + 10]


def terminate(running: Background, portsup: Portsup) -> None:
    running.process.terminate()


def hang_up(running: Background, portsup: Portsup) -> None:
    running.process.send_signal(signal.SIGHUP)


def terminate_supervisor(running: Background, portsup: Portsup) -> None:
    os.kill(portsup.instance(1)["supervisor"]["pid"], signal.SIGTERM)


def down(running: Background, portsup: Portsup) -> None:
    assert portsup.run("down", "-i", "1").returncode == 0
    assert portsup.home.lock_files() == [], "down returns when the lock files are gone"


@pytest.mark.parametrize(
    ("end", "code"),
    [(terminate, 143), (hang_up, 129), (terminate_supervisor, 143), (down, 0)],
)
def test_an_orderly_stop(
    portsup: Portsup,
    portsup_home: Home,
    ports: list[int],
    end: Callable[[Background, Portsup], None],
    code: int,
) -> None:
    """Children gone, lock files gone, ports bindable, and the right exit code."""
    running = portsup.up("-i", "1")
    portsup.wait_for_services(1)
    end(running, portsup)
    assert running.wait() == code
    assert_nothing_left(portsup_home, ports)
    assert running.stderr.count("stopping") == 1


def test_dependents_stop_first(portsup: Portsup, ports: list[int]) -> None:
    """In the reverse order of depends_on."""
    running = portsup.up("-i", "1")
    portsup.wait_for_services(1)
    running.process.terminate()
    running.wait()
    lines = [line for line in running.stderr.splitlines() if "STOP" in line]
    assert [line.split()[0] for line in lines] == ["job", "job", "web", "web"]


def test_spared_processes(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """`stop.mode = "process"` ends the first process only; the guard leaves the spared ones alone."""
    code = (
        "import subprocess, signal; p = subprocess.Popen(['sleep', '300']); print('pid', p.pid, flush=True)"
    )
    service = {
        "command": [sys.executable, "-c", code + "; signal.pause()"],
        "ready": {"log": "pid"},
        "stop": {"mode": "process"},
    }
    write_stack(portsup.cwd, {"job": service}, base_port=ports_block)
    running = portsup.up("-i", "1")
    portsup.wait_for_services(1)
    pid = int(wait_until(lambda: running.stdout.partition("pid ")[2].split("\n")[0], 5))
    spared = psutil.Process(pid)
    try:
        running.process.terminate()
        assert running.wait() == 143
        assert spared.is_running()
        assert spared.status() != psutil.STATUS_ZOMBIE
    finally:
        spared.kill()
    wait_until(lambda: not portsup_home.processes(), 5)


def test_nohup(portsup: Portsup, portsup_home: Home, ports: list[int]) -> None:
    """HUP that is ignored at the start stays ignored."""
    with open(portsup_home.folder / "out", "wb") as out:
        process = subprocess.Popen(
            ["nohup", sys.executable, "-m", "supervisor", "up", "-i", "1"],
            cwd=portsup.cwd,
            env=portsup_home.environ,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        portsup.wait_for_services(1)
        process.send_signal(signal.SIGHUP)
        portsup.wait_for_services(1)
        assert process.poll() is None
    finally:
        process.terminate()
        assert process.wait(10) == 143
    assert_nothing_left(portsup_home, ports)


SLOW_TO_END = """
import signal, sys, time
def end(*_):
    print("ending", flush=True)
    time.sleep(0.5)
    sys.exit(print("ended", flush=True))
signal.signal(signal.SIGTERM, end)
print("up", flush=True)
while True:
    signal.pause()
"""


@pytest.fixture
def slow(portsup: Portsup, ports_block: int) -> Background:
    """A running instance whose service takes half a second to end."""
    service = {"command": [sys.executable, "-I", "-S", "-c", SLOW_TO_END], "ready": {"log": "up"}}
    write_stack(portsup.cwd, {"web": service}, base_port=ports_block)
    running = portsup.up("-i", "1")
    portsup.wait_for_services(1)
    return running


def test_a_term_to_the_whole_group_is_one_stop(slow: Background) -> None:
    """Guard and supervisor both get it, as from `timeout` or a CI runner: orderly all the same."""
    os.killpg(slow.process.pid, signal.SIGTERM)
    assert slow.wait() == 143
    assert slow.stdout.endswith("| ended\n")
    assert "killing" not in slow.stderr


def test_a_first_ctrl_c_after_down_does_not_kill(portsup: Portsup, slow: Background) -> None:
    """Only the second one that the person gives does."""
    down = portsup.start("down")
    wait_until(lambda: "ending" in slow.stdout, 5)
    slow.interrupt()
    assert slow.wait() == 0
    assert down.wait() == 0
    assert slow.stdout.endswith("| ended\n")


def test_a_stop_signal_without_a_name(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """A real-time signal is named by its number, and its timeout kills like every other."""
    code = "import signal; signal.signal(40, signal.SIG_IGN); print('up', flush=True); signal.pause()"
    service = {
        "command": [sys.executable, "-I", "-S", "-c", code],
        "ready": {"log": "up"},
        "stop": {"signal": 40, "timeout": "100ms"},
    }
    write_stack(portsup.cwd, {"web": service}, base_port=ports_block)
    running = portsup.up("-i", "1")
    portsup.wait_for_services(1)
    running.process.terminate()
    assert running.wait() == 143
    assert "did not end within 0.1 s of signal 40: killing it" in running.stderr


def test_sigkill_to_the_supervisor_of_a_service_that_notifies(
    portsup: Portsup, portsup_home: Home, ports_block: int
) -> None:
    """Its notify socket goes with the rest."""
    service = {
        "command": [sys.executable, "-c", "import signal; signal.pause()"],
        "ready": {"notify": True, "timeout": "60s"},
    }
    write_stack(portsup.cwd, {"job": service}, base_port=ports_block)
    running = portsup.up("-i", "1")
    supervisor = portsup.wait_for_services(1, ["STARTING"])["supervisor"]["pid"]
    assert len(list((portsup_home.folder / "run").rglob("*.sock"))) == 2
    os.kill(supervisor, signal.SIGKILL)
    assert running.wait() == 137
    assert_nothing_left(portsup_home, [])
