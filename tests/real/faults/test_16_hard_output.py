"""Fault 16: 1,000,000 lines of output, a 10 MB line, invalid UTF-8, NUL bytes, terminal escape codes.

Nothing lost in the log file (until rotated out; test unrotated), terminal intact, memory flat.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from harness import CHILDREN, COMMAND, WAITS, Home, Portsup, private_bytes, wait_until, write_stack
from terminal import Screen

PRINTS = [sys.executable, "-I", "-S", str(CHILDREN / "print_lines.py")]
LINES = 1_000_000
GROWTH_MAX = 40 << 20
"""Bytes: far above what a console holds back for its reader, far below what is printed."""

SPITEFUL = [
    b"plain",
    b"\xff\xfe not UTF-8",
    b"nul \x00 byte",
    b"\x1b[2J\x1b[3J\x1b[H clears",
    b"\x1b]0;owned\x07 titles \x1b]2;owned\x1b\\",
    b"\x1b[?1049h another screen, no cursor \x1b[?25l, \x1b[?1000h the mouse, \x1b[?2004h what is pasted",
    b"\x1b[10A\x1b[5;5H over the neighbours\x08\x08\x08\r over itself",
    b"\x1b[c\x1b[6n\x1bP+q544e\x1b\\ asks",
    b"\x1b]52;c;cm0gLXJmIC8=\x07 clipboard",
    b"\x1b(0\x0e charset",
    b"\x9b31m\xc2\x9b2J 8-bit \x85",
    b"\x1b]0;never ends",
    b"\x07\x0b\x0c\x7f\x1bc",
    b"\x1b[1;31;5;7;8mleft on",
]
TEN_MB = b"y" * (10 << 20)

STYLE = re.compile(rb"\x1b\[[0-9;:]*m")
NAMED = re.compile(rb"(web|idle|portsup) *\| ")
OBEYED = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]")


@pytest.fixture
def screen() -> Iterator[Screen]:
    with closing(Screen()) as one:
        yield one


def flood(portsup: Portsup, portsup_home: Home, ports_block: int, *printed: str, out: int | None) -> int:
    """Have a service print that; the growth of the supervisor's own memory while it does."""
    services = {"idle": {"command": WAITS}, "web": {"command": [*PRINTS, *printed], "restart": "no"}}
    one_file = {"log": {"max_size": "1GB"}}
    write_stack(portsup.cwd, services, base_port=ports_block, defaults=one_file)
    running = portsup.start("up", "-i", "1", "idle", stdout=out)
    portsup.wait_for_services(1, ["RUNNING", "STOPPED"])
    supervisor = portsup.instance(1)["supervisor"]["pid"]
    before = most = private_bytes(supervisor)
    assert portsup.run("start", "web").returncode in (0, 1)  # it may be over by now

    def over() -> bool:
        nonlocal most
        most = max(most, private_bytes(supervisor))
        return any(
            event["event"] == "unit.exited" and event["service"] == "web" for event in portsup_home.events()
        )

    wait_until(over, 60, "the end of the flood")
    running.process.terminate()
    assert running.wait() == 143
    return most - before


def test_a_million_lines(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """All in the log file in their order; a reader that keeps up gets each, or is told of it."""
    assert flood(portsup, portsup_home, ports_block, str(LINES), out=None) < GROWTH_MAX
    with (portsup_home.logs() / "web.log").open("rb") as log:
        assert all(line.startswith(b"%08d x" % number) for number, line in enumerate(log))
        assert log.tell() == LINES * 80
    with (portsup_home.folder / "up-0.out").open("rb") as out:
        assert sum(int(line.split()[2]) if b"lines skipped" in line else 1 for line in out) == LINES


def test_every_byte(portsup: Portsup, portsup_home: Home, ports_block: int, tmp_path: Path) -> None:
    """In the log file, and from there through `logs` into a pipe, as it was printed."""
    whole = b"\n".join([*SPITEFUL, TEN_MB, b"end"])
    (tmp_path / "spite").write_bytes(whole)
    assert flood(portsup, portsup_home, ports_block, "0", str(tmp_path / "spite"), out=None) < GROWTH_MAX
    assert (portsup_home.logs() / "web.log").read_bytes() == whole
    command = [*COMMAND, "logs", "web", "-n", "1000"]
    done = subprocess.run(command, cwd=tmp_path, env=portsup_home.environ, capture_output=True, check=True)
    assert done.stdout == whole
    shown = b"".join(b"web     | " + line + b"\n" for line in SPITEFUL)
    assert shown in (portsup_home.folder / "up-0.out").read_bytes()


COLOURS: dict[str, Any] = {"NO_COLOR": "", "TERM": "xterm"}


def assert_intact(screen: Screen, *, styles: bool, prefixed: bool) -> None:
    """It was sent text and styles, each line for itself, and is in the modes in which it was."""
    assert screen.is_as_before()
    for line in screen.seen.split(b"\r\n")[:-1]:
        if prefixed:
            assert NAMED.match(STYLE.sub(b"", line)), line[:99]
        assert not OBEYED.search(STYLE.sub(b"", line) if styles else line), line[:99]
        assert STYLE.findall(line)[-1:] in ([], [b"\x1b[0m"]), line[:99]


@pytest.mark.parametrize("styles", [True, False], ids=["colours", "NO_COLOR"])
def test_up_on_a_terminal(
    portsup: Portsup, ports_block: int, tmp_path: Path, screen: Screen, styles: bool
) -> None:
    """Nothing that a service prints is obeyed by the terminal, or reaches beyond its line."""
    (tmp_path / "spite").write_bytes(b"\n".join([*SPITEFUL, TEN_MB, b"end"]))
    services = {"web": {"command": [*PRINTS, "0", "spite"]}, "idle": {"command": WAITS}}
    write_stack(portsup.cwd, services, base_port=ports_block)
    environ: dict[str, Any] = COLOURS if styles else {**COLOURS, "NO_COLOR": "1"}
    running = portsup.start("up", "-i", "1", stdout=screen.fd, stderr=screen.fd, **environ)
    wait_until(lambda: b"| \x1b[0mend\r\n" in screen.seen or b"| end\r\n" in screen.seen, 20, "the last line")
    running.process.terminate()
    assert running.wait() == 143
    assert_intact(screen, styles=styles, prefixed=True)
    assert (b"\x1b[1;31;5;7;8mleft on\x1b[0m\r\n" in screen.seen) is styles
    for seen in (
        rb"\xff\xfe not UTF-8",
        rb"nul \x00 byte",
        b" clears",
        rb"\x1b]0;never ends",
        b" over itself",
    ):
        assert seen in screen.seen


@pytest.mark.parametrize("services", [("web",), ("web", "idle")], ids=["alone", "together"])
def test_logs_on_a_terminal(
    portsup: Portsup,
    portsup_home: Home,
    ports_block: int,
    tmp_path: Path,
    screen: Screen,
    services: tuple[str, ...],
) -> None:
    """The same through `logs` and `logs -f`."""
    (tmp_path / "spite").write_bytes(b"\n".join([*SPITEFUL, TEN_MB, b"end\n"]))
    flood(portsup, portsup_home, ports_block, "0", "spite", out=None)
    arguments = ("logs", *services, "-n", "1000")
    assert portsup.start(*arguments, stdout=screen.fd, **COLOURS).wait() == 0
    following = portsup.start(*arguments, "-f", stdout=screen.fd, **COLOURS)
    wait_until(lambda: screen.seen.count(b"end\r\n") == 2, 20, "the last line, twice")
    following.interrupt()
    assert following.wait() == 130
    assert_intact(screen, styles=True, prefixed=len(services) > 1)
    assert screen.seen.count(b"\x1b[1;31;5;7;8mleft on\x1b[0m\r\n") == 2
    assert screen.seen.count(b"y") >= 2 * len(TEN_MB)
