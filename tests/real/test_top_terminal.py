"""`portsup top` as a command: on a real terminal, which it leaves as it was, and where there is none."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
from collections.abc import Iterator, Sequence

import psutil
import pytest
from harness import COMMAND, Home, Portsup, wait_until, write_stack
from terminal import CTRL_C, Terminal

pytestmark = pytest.mark.slow

CTRL_Z = b"\x1a"
COLOURS = re.compile(r"\x1b\[[0-9;]*\b(?:3[0-7]|38|4[0-7]|48|9[0-7])\b[0-9;]*m")
ESCAPES = re.compile(r"\x1b\[[0-?]*[@-~]")
ALTERNATE, PRIMARY = "\x1b[?1049h", "\x1b[?1049l"
"""What a terminal is sent before and after the program's own screen."""

XTERM = {"TERM": "xterm-256color", "TEXTUAL_DISABLE_KITTY_KEY": "1"}
"""A terminal without the key protocol that pyte doesn't know."""

SPOILED = """
import sys
from {module} import {name}
{name}.{method} = lambda *_: 1 / 0
from supervisor.cli.main import main
sys.exit(main(["top"]))
"""


@contextlib.contextmanager
def top(
    home: Home, command: Sequence[str] = (*COMMAND, "top"), size: tuple[int, int] = (80, 24), **environ: str
) -> Iterator[Terminal]:
    """On a terminal with colours, unless `environ` says otherwise."""
    known = {name: value for name, value in home.environ.items() if name != "NO_COLOR"}
    terminal = Terminal(command, home.folder, {**known, **XTERM, **environ}, size)
    try:
        yield terminal
    finally:
        terminal.close()


def shows(terminal: Terminal, text: str) -> None:
    wait_until(lambda: text in "\n".join(terminal.rows), 15, f"{text!r}; on the screen: {terminal.rows}")


def since(terminal: Terminal, escape: str) -> str:
    """What was written since it was last sent that, without colours."""
    return ESCAPES.sub("", terminal.screen.rpartition(escape)[2])


def after(terminal: Terminal) -> list[str]:
    """The lines that were written since the program has left."""
    return since(terminal, PRIMARY).splitlines()


def assert_left_as_it_was(terminal: Terminal) -> None:
    assert terminal.is_as_before()
    assert terminal.screen.count(ALTERNATE) == terminal.screen.count(PRIMARY) > 0
    assert "\x1b[?25h" in terminal.screen.rpartition("\x1b[?25l")[2]  # the cursor


def test_steer_suspend_and_quit(portsup: Portsup, ports_block: int) -> None:
    """A key stops a service; Ctrl-Z gives the terminal back until it goes on, all drawn anew; q ends it."""
    write_stack(portsup.cwd, {"web": {"pool": {"offset": 0, "size": 2}}}, base_port=ports_block, name="shop")
    assert portsup.run("up", "-d", "--wait", "-i", "1").returncode == 0
    with top(portsup.home) as terminal:
        shows(terminal, "▸ web")
        shows(terminal, "RUNNING")
        assert COLOURS.search(terminal.screen)
        terminal.type(b"x")
        shows(terminal, "◌ STOPPED")
        assert portsup.service(1, "web")["state"] == "STOPPED"
        terminal.type(CTRL_Z)
        top_itself = psutil.Process(terminal.process.pid)
        wait_until(lambda: top_itself.status() == psutil.STATUS_STOPPED, 10, "it to be suspended")
        assert_left_as_it_was(terminal)
        os.kill(terminal.process.pid, signal.SIGCONT)
        wait_until(lambda: terminal.screen.count(ALTERNATE) == 2, 10, "its own screen")
        wait_until(lambda: "q quit" in since(terminal, ALTERNATE), 10, "all to be drawn again")
        shows(terminal, "◌ STOPPED")
        terminal.type(b"q")
        assert terminal.wait() == 0
        assert_left_as_it_was(terminal)
        assert not after(terminal)


@pytest.mark.parametrize(("how", "code"), [(CTRL_C, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "TERM"])
def test_interrupted(how: bytes | signal.Signals, code: int, portsup_home: Home) -> None:
    """By the key or a signal; without colours where none are wanted."""
    with top(portsup_home, NO_COLOR="1") as terminal:
        shows(terminal, "no instance on this machine is up")
        if isinstance(how, signal.Signals):
            os.kill(terminal.process.pid, how)
        else:
            terminal.type(how)
        assert terminal.wait() == code
        assert_left_as_it_was(terminal)
        assert not COLOURS.search(terminal.screen)


@pytest.mark.parametrize(
    ("module", "name", "method"),
    [
        ("supervisor.tui.watcher", "Watcher", "look"),
        ("supervisor.tui.service_table", "ServiceTable", "line"),
    ],
)
def test_a_fault_of_ours(module: str, name: str, method: str, portsup_home: Home) -> None:
    """While it looks, and while it draws: the usual line, on the terminal as it was."""
    script = SPOILED.format(module=module, name=name, method=method)
    with top(portsup_home, [sys.executable, "-c", script]) as terminal:
        assert terminal.wait() == 70
        assert_left_as_it_was(terminal)
        assert after(terminal) == [
            "portsup: internal error: ZeroDivisionError: division by zero",
            "hint: this is a fault of portsup; PORTSUP_DEBUG=1 shows where",
        ]


def test_without_a_terminal(portsup: Portsup) -> None:
    """Says what prints the same there."""
    done = portsup.run("top")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        "portsup: top needs a terminal, and standard input is none\nhint: `portsup "
    )
    with top(portsup.home, TERM="dumb") as terminal:
        assert terminal.wait() == 2
        assert "TERM=dumb" in terminal.rows[0]


def test_without_the_extra(portsup_home: Home) -> None:
    """The hint says how to get it."""
    script = 'import sys; sys.modules["textual"] = None; from supervisor.cli.main import main; main(["top"])'
    with top(portsup_home, [sys.executable, "-c", script]) as terminal:
        terminal.wait()
        assert terminal.rows[0] == "portsup: cannot draw: textual is not installed"
        assert "[tui]" in terminal.rows[1]
