"""Rounds of measurements: the launchers take turns in each, on a machine that is as idle as it gets."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from figures import Case, Figure, Server, Turn
from launchers import Launcher
from measures import BREATH_SECONDS, milliseconds_up
from turns import on_a_stage

HERE = Path(__file__).parent
QUIET_PERCENT = 15.0
QUIET_PATIENCE = 6.0


@dataclass(frozen=True)
class Row:
    figure: Figure
    round: int
    busy_percent_before: float
    """What else the machine did."""


@contextmanager
def tiny_server() -> Iterator[Server]:
    """Its command: compiled where there is a compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        yield sys.executable, "-E", "-s", "-S", str(HERE / "tinyserver.py")
        return
    with TemporaryDirectory(prefix="p") as folder:
        program = Path(folder) / "tinyserver"
        subprocess.run([compiler, "-O2", "-o", program, HERE / "tinyserver.c"], check=True)
        yield (str(program),)


def warm_up(server: Server, turn: Turn) -> list[type[Launcher]]:
    """One uncounted start of each: the disk's cache and .pyc files are part of no figure.

    Returns those that came up.
    """
    return [kind for kind in turn if on_a_stage(kind, server, first_start)]


def first_start(launcher: Launcher) -> Iterator[Figure]:
    took = milliseconds_up(launcher, 1)
    time.sleep(BREATH_SECONDS)
    launcher.stop()
    yield Figure("", "first start", launcher.name, took, "ms")


def rounds(
    count: int, cases: Sequence[Case], server: Server, turn: Turn, patience: float = QUIET_PATIENCE
) -> Iterator[Row]:
    """Every figure with the round that it was taken in. Each launcher gets to be the first one."""
    for number in range(count):
        first = number % len(turn)
        everyone = (*turn[first:], *turn[:first])
        own = [kind for kind in everyone if not kind.is_peer]
        for case in cases:
            if number % case.every:
                continue
            busy = wait_until_quiet(patience)
            for figure in case.measure(server, everyone if case.peers else own):
                print(".", end="", file=sys.stderr, flush=True)
                yield Row(figure, number, busy)


def wait_until_quiet(patience: float) -> float:
    """Wait at most that many seconds for the machine to be idle; the busy share in percent seen last."""
    deadline = time.monotonic() + patience
    while (busy := psutil.cpu_percent(0.3)) > QUIET_PERCENT and time.monotonic() < deadline:
        pass
    return busy
