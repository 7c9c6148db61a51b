"""Whoever ends the benchmark finds nothing of it afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from harness import MARKER, ROOT, wait_until
from interruption import interrupt_on_signals
from launchers import stage

INTERRUPTS = """
import os, signal, sys, time
def on_term(*_):
    os.kill(os.getppid(), signal.SIGINT)
    time.sleep(0.3)  # so that whoever stops waiting for it leaves it
    sys.exit()
signal.signal(signal.SIGTERM, on_term)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def handlers() -> Iterator[None]:
    """This process's, as they were."""
    before = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)}
    yield
    for signum, handler in before.items():
        signal.signal(signum, handler)


@contextmanager
def benchmark(name: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """In a session of its own, as in a terminal of its own."""
    command = [sys.executable, str(ROOT / "bench" / "compare.py"), *arguments]
    environ = {**os.environ, name: ""}
    with subprocess.Popen(
        command, env=environ, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            for left in processes_with(name):
                with suppress(psutil.NoSuchProcess):
                    left.kill()


def processes_with(variable: str) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if variable in environment(process)]


def environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except (psutil.Error, OSError):
        return {}


@pytest.mark.parametrize("signals", [(signal.SIGTERM,), (signal.SIGINT, signal.SIGTERM, signal.SIGINT)])
def test_an_interrupted_benchmark_leaves_nothing(signals: tuple[signal.Signals, ...], tmp_path: Path) -> None:
    """Neither launcher nor service, whoever asks how often; and no traceback."""
    name = f"BENCH_TEST_{tmp_path.name}"
    with benchmark(name, "--only", "a", "--rounds", "1") as process:
        wait_until(lambda: any(MARKER in environment(one) for one in processes_with(name)), 30, "a service")
        for signum in signals:
            os.killpg(process.pid, signum)
        _, said = process.communicate(timeout=40)
        assert process.returncode in (130, -signals[-1])  # that one if it comes when Python exits already
        assert said.endswith("interrupted; what was started is ended\n") and "Traceback" not in said
        assert processes_with(name) == []


@pytest.mark.usefixtures("handlers")
def test_a_signal_waits_until_a_stage_is_cleared() -> None:
    """It comes from one of those that are ended, which then takes its time."""
    interrupt_on_signals()
    with pytest.raises(KeyboardInterrupt), stage(()) as run:
        process = subprocess.Popen(
            [sys.executable, "-c", INTERRUPTS], env=run.environ, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        with process.stdout as says:
            assert says.readline() == b"ready\n"
    assert process.poll() == 0
    assert not run.home.folder.exists()


@pytest.mark.usefixtures("handlers")
def test_only_the_first_signal_interrupts() -> None:
    """What it makes this process clear up is cleared up in peace."""
    interrupt_on_signals()
    assert [interrupts(signum) for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM)] == [
        True,
        False,
        False,
    ]


def interrupts(signum: int) -> bool:
    try:
        signal.raise_signal(signum)
    except KeyboardInterrupt:
        return True
    return False
