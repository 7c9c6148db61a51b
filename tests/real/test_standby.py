"""A supervisor that is forked before the command line is read, and may not be needed."""

from __future__ import annotations

import subprocess
import sys

import pytest
from harness import Home, Portsup, write_stack

WAITS = """
import os, signal, sys
from pathlib import Path
from supervisor.process.guard import Standby

def load(has_begun):
    print("loaded", os.getpid(), has_begun(), flush=True)

standby = Standby(lambda link, order: print("ran", order, link.commands_fd > 2, flush=True) or 7, load)
"""


def run(then: str) -> tuple[int, list[str]]:
    """Exit code and lines of a process that has a standby and does `then`; the end of file comes when both
    are gone."""
    done = subprocess.run(
        [sys.executable, "-c", WAITS + then], stdout=subprocess.PIPE, text=True, timeout=20, check=False
    )
    return done.returncode, done.stdout.splitlines()


def test_it_is_given_its_order(portsup_home: Home) -> None:
    """It runs with what it is told, and the guard passes on its code."""
    code, lines = run(f"standby.begin(b'one', Path({str(portsup_home.locks)!r}))")
    assert code == 7
    assert lines[0].startswith("loaded")
    assert lines[1:] == ["ran b'one' True"]


@pytest.mark.parametrize(
    "end", ["os.kill(os.getpid(), signal.SIGKILL)", "sys.exit(3)", "standby.dismiss()"], ids=str
)
def test_nobody_needs_it(end: str) -> None:
    """It ends with its parent, whatever that died of, and never runs."""
    _, lines = run(end)
    assert not [line for line in lines if line.startswith("ran")]


@pytest.mark.parametrize(
    ("load", "code"), [("os.kill(os.getpid(), signal.SIGKILL)", 137), ("raise RuntimeError('broken')", 70)]
)
def test_it_dies_before_it_is_needed(load: str, code: int, portsup_home: Home) -> None:
    """As it does where an install is broken: its guard ends too, and says of what."""
    died = f"""
import os, signal
from pathlib import Path
from supervisor.process.guard import Standby

def load(has_begun):
    {load}

standby = Standby(lambda link, order: print("ran") or 0, load)
os.waitid(os.P_PID, standby.pid, os.WEXITED | os.WNOWAIT)
standby.begin(b"one", Path({str(portsup_home.locks)!r}))
"""
    done = subprocess.run(
        [sys.executable, "-c", died], capture_output=True, text=True, timeout=20, check=False
    )
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.count("portsup: ") == 1


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["up", "--no-such-option"], 2),
        (["up", "-i", "none"], 2),
        (["run"], 2),
        (["run", "--help"], 0),
        (["up", "--count", "2", "--timeout", "3"], 2),
    ],
    ids=str,
)
def test_a_command_line_that_starts_nothing(
    words: list[str], code: int, portsup: Portsup, portsup_home: Home, ports_block: int
) -> None:
    """Neither a process nor a lock comes of it."""
    write_stack(portsup.cwd, {"web": {"command": ["true"]}}, base_port=ports_block)
    assert portsup.run(*words).returncode == code
    assert not portsup_home.processes()
    assert not list(portsup_home.locks.glob("*"))
