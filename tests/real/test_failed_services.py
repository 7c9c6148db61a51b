"""A service that fails: what it printed last, its exit in words, and what to try next."""

from __future__ import annotations

import sys

from harness import WAITS, Portsup, wait_until, write_stack

PYTHON = [sys.executable, "-I", "-S", "-c"]
MANY = "print(*range(30), sep='\\n'); print('\\x1b[2Jevil'); raise SystemExit(3)"

LAST = ["the last 20 lines that it printed:", *(f"  {i}" for i in range(11, 30)), "  \x1b[2Jevil"]


def test_once_in_the_foreground(portsup: Portsup, ports_block: int) -> None:
    """One block for each failure, none for the tries before it; no `restart` where nothing is left to run."""
    services = {
        "loop": {"command": [*PYTHON, MANY], "backoff": {"initial": "10ms", "limit": 2}},
        "silent": {"command": ["/bin/sh", "-c", "kill -SEGV $$$$"], "restart": "no"},
    }
    write_stack(portsup.cwd, services, base_port=ports_block)
    running = portsup.up("-i", "1")
    assert running.wait() == 1
    lines = [line.partition(" | ") for line in running.stderr.splitlines()]
    told = [text for name, _, text in lines if name.strip() == "loop"]
    begin = told.index(LAST[0])
    assert "gave up after 2 restarts in a row" in told[begin - 1]
    assert told[begin:] == [*LAST, "`portsup logs loop -n 100` shows more"]
    silent = [text for name, _, text in lines if name.strip() == "silent"]
    assert silent[-3:-1] == ["it printed nothing", "it ended with signal SEGV (segmentation fault)"]


def test_in_the_background(portsup: Portsup, ports_block: int) -> None:
    """`up --wait` and `restart` tell the same, with the number only where the worktree has several; what an
    earlier run printed isn't told again."""
    services = {
        "bad": {"command": [*PYTHON, MANY], "restart": "no", "ready": {"log": "never"}},
        "good": {"command": WAITS},
    }
    write_stack(portsup.cwd, services, base_port=ports_block)
    done = portsup.run("up", "-i", "1", "--wait")
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    shown = ["bad | " + line.replace("\x1b", "\\x1b") for line in LAST]
    begin = lines.index(f"    {shown[0]}")
    assert lines[begin : begin + 21] == [f"    {line}" for line in shown]
    assert (
        lines[begin + 21]
        == "    bad | `portsup logs bad -n 100` shows more, `portsup restart bad` tries again"
    )
    again = portsup.run("restart", "bad")
    assert again.returncode == 1
    assert again.stderr.splitlines()[:21] == shown
    assert portsup.run("up", "-i", "2", "-d").returncode == 0
    two = portsup.run("restart", "-i", "2", "bad")
    assert "`portsup restart bad -i 2` tries again" in two.stderr
    assert portsup.run("down", "--all").returncode == 0


def test_a_run_that_does_not_start(portsup: Portsup, ports_block: int) -> None:
    """Its instance is gone afterwards, so that only its logs are left to be looked at."""
    services = {"bad": {"command": ["/bin/sh", "-c", "exit 137"], "restart": "no", "ready": {"log": "x"}}}
    write_stack(portsup.cwd, services, base_port=ports_block)
    done = portsup.run("run", "--", "true")
    assert done.returncode == 1
    assert "bad | it printed nothing" in done.stderr
    assert "bad | it ended with code 137 (signal KILL: killed; out of memory?)" in done.stderr
    assert "portsup restart" not in done.stderr
    wait_until(lambda: not portsup.home.lock_files(), 10)


def test_what_this_run_printed_and_no_more(portsup: Portsup, ports_block: int) -> None:
    """Nothing of the run just before, also where that left a line open; at most 20 lines of a progress bar,
    and little of an endless line."""
    bad = {"command": ["/bin/sh", "-c", "cat said; exit 3"], "restart": "no"}
    write_stack(portsup.cwd, {"bad": bad}, base_port=ports_block)
    expected = {
        "first\n" * 25: ["the last 20 lines that it printed:", *["  first"] * 20],
        "second\n" * 2: ["the last 2 lines that it printed:", *["  second"] * 2],
        "".join(f"{percent}%\r" for percent in range(101)): [
            "the last 20 lines that it printed:",
            *(f"  {percent}%" for percent in range(81, 101)),
        ],
        "endless" * 1_500_000: ["the last line that it printed:", "  "],
        "last\n": ["the last line that it printed:", "  last"],
    }
    for said, block in expected.items():
        (portsup.cwd / "said").write_text(said)
        running = portsup.up("-i", "1")
        assert running.wait() == 1
        told = [line.removeprefix("bad     | ") for line in running.stderr.splitlines()]
        at = told.index(block[0])
        end = next(place for place, line in enumerate(told[at:], at) if line.startswith("`portsup logs bad"))
        shown = told[at:end]
        assert shown[:-1] == block[:-1] and shown[-1].startswith(block[-1])
        assert len(shown[-1]) < 410
