"""The measurements (e): a service that prints as fast as its launcher takes it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from datagrams import PATIENCE
from figures import Case, Figure, Server, Turn
from launchers import DetachedPortsup, Launcher, Portsup
from turns import on_a_stage

LINE = b"x" * 79
"""What tinyserver.c prints, without the line end: a terminal's is another."""
END = b"end of lines"


def lines(server: Server, turn: Turn) -> Iterator[Figure]:
    for kind in turn:
        for how in (DetachedPortsup, Portsup) if kind is Portsup else (kind,):
            if how.prints:
                yield from on_a_stage(how, server, print_lines)


def print_lines(launcher: Launcher) -> Iterator[Figure]:
    """From the first line to the last one in all that they are printed to."""
    launcher.start_lines()
    began = launcher.stage.events.next("begin").at
    launcher.stage.events.next("done")
    for file in launcher.printed:
        wait_for_end_of(file)
    rate = launcher.lines / 1e6 / ((time.monotonic_ns() - began) / 1e9)
    launcher.stop()
    whole = whole_lines(launcher.printed[0])
    assert whole == launcher.lines, f"{whole} whole lines are in the log"
    for what in launcher.prints:
        yield Figure("e", f"lines of one service {what}", launcher.name, rate, "M/s")


def wait_for_end_of(file: Path) -> None:
    """The only place that polls: what is left to be written then fits into a pipe. Raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE
    while END not in tail(file):
        if time.monotonic() > deadline:
            raise TimeoutError("the log does not become complete")
        time.sleep(0.0005)


def tail(file: Path) -> bytes:
    with file.open("rb") as opened:
        opened.seek(max(0, file.stat().st_size - 4096))
        return opened.read()


def whole_lines(file: Path) -> int:
    return sum(line.count(LINE) for line in file.open("rb"))


CASES = (Case("e", lines, every=2, peers=True),)
