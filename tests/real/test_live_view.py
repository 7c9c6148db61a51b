"""`portsup up` on a terminal: what isn't ready stands below the logs, then a summary says where all is."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil
import pytest
from harness import COMMAND, Portsup, assert_nothing_left, wait_until, write_stack
from terminal import CTRL_C, Terminal

GATED = """
import os, sys, time
print('boots')
sys.stdout.write('half a line')
sys.stdout.flush()
while not os.path.exists(sys.argv[1]): time.sleep(0.01)
print(' and its end')
print('go')
time.sleep(1000)
"""
"""A service that is ready when a file is there."""


def gated(gate: Path, **keys: object) -> dict[str, object]:
    command = [sys.executable, "-I", "-S", "-uc", GATED, str(gate)]
    return {"command": command, "ready": {"log": "^go$"}, **keys}


@contextlib.contextmanager
def up(
    portsup: Portsup,
    size: tuple[int, int] = (80, 24),
    environ: Mapping[str, str] | None = None,
    command: Sequence[str] = (*COMMAND, "up", "-i", "1"),
) -> Iterator[Terminal]:
    """On a terminal that knows colours, unless `environ` says otherwise."""
    known = {name: value for name, value in portsup.home.environ.items() if name != "NO_COLOR"}
    terminal = Terminal(command, portsup.cwd, {**known, "TERM": "xterm", **(environ or {})}, size)
    try:
        yield terminal
    finally:
        terminal.close()


def shows(terminal: Terminal, look: Callable[[list[str]], object]) -> list[str]:
    """The rows, once they are as `look` wants."""
    try:
        wait_until(lambda: look(terminal.rows), 15)
    except AssertionError:
        raise AssertionError("on the screen:\n" + "\n".join(terminal.rows)) from None
    return terminal.rows


def test_from_the_start_to_the_end(portsup: Portsup, ports_block: int, tmp_path: Path) -> None:
    """The picture gives way to the summary; lines of services stay whole; nothing is drawn after that."""
    services = {
        "web": gated(tmp_path / "web", pool={"offset": 0, "size": 1}),
        "behind": gated(tmp_path / "behind", depends_on=["web"]),
    }
    write_stack(portsup.cwd, services, base_port=ports_block)
    with up(portsup) as terminal:
        rows = shows(terminal, lambda rows: rows[-1].startswith("behind"))
        assert rows[1] == "web     | boots"
        assert rows[2].startswith("0 of 2 ready after ")
        assert rows[3].split()[:2] == ["web", "STARTING"]
        assert f"{ports_block}  waits for a line like ^go$" in rows[3]
        assert rows[4].split() == ["behind", "PENDING", "-", "waits", "for", "web"]
        (tmp_path / "web").touch()
        rows = shows(terminal, lambda rows: rows[-1].startswith("behind  STARTING"))
        assert rows[2] == "web     | half a line and its end"
        assert [row.split()[0] for row in rows[-2:]] == ["1", "behind"]
        (tmp_path / "behind").touch()
        rows = shows(terminal, lambda rows: "no port" in rows[-1])
        assert not [row for row in rows if "waits for" in row]
        assert "2 services are ready after " in rows[-3]
        assert rows[-2].startswith(f"web     | http://127.0.0.1:{ports_block}  ")
        drawn = terminal.screen
        terminal.press(CTRL_C)
        assert terminal.wait() == 130
        assert "\x1b[J" not in terminal.screen[len(drawn) :]
        assert terminal.is_as_before()
    assert_nothing_left(portsup.home, [ports_block])


def test_ctrl_z_and_ctrl_c_before_it_is_ready(portsup: Portsup, ports_block: int, tmp_path: Path) -> None:
    """What a shell wrote meanwhile is left alone; in the end no picture is left."""
    write_stack(portsup.cwd, {"web": gated(tmp_path / "web")}, base_port=ports_block)
    with up(portsup) as terminal:
        shows(terminal, lambda rows: rows[-1].startswith("web  STARTING"))
        group = os.getpgid(terminal.process.pid)
        os.killpg(group, signal.SIGSTOP)
        states = [psutil.Process(terminal.process.pid).status]
        wait_until(lambda: all(state() == psutil.STATUS_STOPPED for state in states), 10)
        terminal.write(b"$ fg\r\n")
        os.killpg(group, signal.SIGCONT)
        rows = shows(terminal, lambda rows: rows[-1].startswith("web  STARTING") and "$ fg" in rows[-3])
        terminal.press(CTRL_C)
        assert terminal.wait() == 130
        rows = terminal.rows
        assert "$ fg" in rows
        after = rows[rows.index("$ fg") + 1 :]
        assert not [row for row in after if "STARTING" in row or "ready after" in row]
        assert "stopping (Ctrl-C" in after[0]


def test_more_services_than_rows(portsup: Portsup, ports_block: int, tmp_path: Path) -> None:
    """At most a third of the terminal, and no row is wrapped, however narrow it is."""
    names = [f"service-with-a-name-that-is-rather-long-{i:02}" for i in range(20)]
    write_stack(portsup.cwd, {name: gated(tmp_path / "gate") for name in names}, base_port=ports_block)
    with up(portsup, (30, 15)) as terminal:
        rows = shows(terminal, lambda rows: "more" in rows[-1])
        assert rows[-1] == "… and 17 more"
        assert rows[-5].startswith("0 of 20 ready after ")
        assert all("… STARTING" in " ".join(row.split()) for row in rows[-4:-1])
        terminal.press(CTRL_C)
        assert terminal.wait() == 130


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_plain_lines_for_who_wants_them(
    portsup: Portsup, ports_block: int, tmp_path: Path, environ: dict[str, str]
) -> None:
    """No control codes at all."""
    command = [sys.executable, "-I", "-S", "-c", "print('one')"]
    write_stack(portsup.cwd, {"web": {"command": command}}, base_port=ports_block)
    with up(portsup, environ=environ) as terminal:
        assert terminal.wait() == 0
        assert "\x1b" not in terminal.screen
        assert "started, pid" in terminal.screen


def test_plain_lines_where_another_prints_them(portsup: Portsup, ports_block: int) -> None:
    """In `up | cat` the lines of services come from somebody else: nothing is drawn that takes them away."""
    takes_a_while = "import time; print('boots', flush=True); time.sleep(0.6); print('go')"
    command = [sys.executable, "-I", "-S", "-c", takes_a_while]
    write_stack(portsup.cwd, {"web": {"command": command, "ready": {"log": "^go$"}}}, base_port=ports_block)
    pipeline = f"{shlex.join([*COMMAND, 'up', '-i', '1'])} | cat"
    with up(portsup, command=["/bin/sh", "-c", pipeline]) as terminal:
        assert terminal.wait() == 0
        assert "web     | boots" in terminal.rows
        assert "\x1b[J" not in terminal.screen


def test_a_job_is_done(portsup: Portsup, ports_block: int) -> None:
    """In the summary as well where it has ended before the line that it was to be ready with."""
    job = {"command": [sys.executable, "-I", "-S", "-c", ""], "ready": {"log": "^never$"}}
    write_stack(portsup.cwd, {"job": job}, base_port=ports_block)
    with up(portsup) as terminal:
        assert terminal.wait() == 0
        assert "job     | no port  done" in terminal.rows
