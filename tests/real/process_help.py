"""What the tests of supervisor/process share: waiting, and services that do what real ones do."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from harness import ROOT, wait_until

from supervisor.platform import os_facts
from supervisor.process.child import Child, Exit
from supervisor.process.spawn import ChildSpec

CHILDREN = Path(__file__).parent / "children"
PYTHON = (sys.executable, "-I", "-S")
"""Starts fast, and needs nothing of the environment."""

T = TypeVar("T")


def until(look: Callable[[], T | None], seconds: float = 10.0) -> T:
    return wait_until(look, seconds)


def pid_in(file: Path) -> int:
    """The pid that a service wrote there when it was set up."""
    until(file.exists)
    return int(file.read_text())


def alive(pid: int) -> bool:
    return os_facts.owner(pid) is not None


def ended(child: Child) -> Exit:
    return until(child.poll)


def output(child: Child) -> str:
    """All that it prints until the pipe's other end is closed everywhere."""
    os.set_blocking(child.output_fd, True)
    with open(child.output_fd, "rb", closefd=False) as pipe:
        return pipe.read().decode()


def spec(
    *argv: str,
    unit: str = "test-1-abc/web",
    shell: bool = False,
    cwd: Path = ROOT,
    env: Mapping[str, str] | None = None,
    inherit: tuple[int, ...] = (),
    listening_fd: int | None = None,
) -> ChildSpec:
    path = {"PATH": os.environ["PATH"]} if env is None else env
    return ChildSpec(
        unit=unit, argv=argv, shell=shell, cwd=cwd, env=path, inherit=inherit, listening_fd=listening_fd
    )


def settable(mask: int) -> int:
    """The signals of a mask in /proc that a program can set.

    glibc keeps 32 and 33 to itself, and its posix_spawn, which Python 3.13 uses, hands them down ignored.
    """
    return mask & sum(1 << (signum - 1) for signum in signal.valid_signals())


def daemoniser(folder: Path, *flags: str) -> tuple[str, ...]:
    """The command line of children/daemonise.py."""
    return (*PYTHON, str(CHILDREN / "daemonise.py"), str(folder), *flags)
