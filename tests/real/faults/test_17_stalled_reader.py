"""Fault 17: reader of `logs -f` or of `up`'s stdout stops reading or goes away.

Children are not blocked, supervisor lives, the file is complete; the stalled stream says "N lines skipped".
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from harness import CHILDREN, WAITS, Home, Portsup, wait_until, write_stack

PYTHON = [sys.executable, "-I", "-S"]
LINES = 150_000
"""12 MB: more than is held back for a reader."""
PRINTS = [*PYTHON, str(CHILDREN / "print_lines.py"), str(LINES)]
TICKS = [*PYTHON, "-c", "import time\nfor i in range(10**9): print(i, flush=True); time.sleep(0.001)"]


class Reader:
    """The reading end of a pipe, which reads when it is told to."""

    def __init__(self) -> None:
        fd, self.pipe = os.pipe()
        self.lines = open(fd, "rb")  # noqa: SIM115 - closed with this object

    def read_until(self, pattern: bytes) -> list[bytes]:
        """All lines up to the first that matches. Raises AssertionError if the pipe ends before."""
        read = []
        for line in self.lines:
            read.append(line)
            if re.search(pattern, line):
                return read
        raise AssertionError(f"{pattern!r} came not in {len(read)} lines, the last of which are {read[-5:]}")

    def hand_down(self) -> None:
        """The writing end is a child's alone from now on."""
        os.close(self.pipe)
        self.pipe = -1

    def close(self) -> None:
        self.lines.close()
        if self.pipe >= 0:
            self.hand_down()


@pytest.fixture
def reader() -> Iterator[Reader]:
    one = Reader()
    yield one
    one.close()


def start(portsup: Portsup, ports_block: int, **services: Any) -> None:
    one_file = {"log": {"max_size": "1GB"}}
    services = {"idle": {"command": WAITS}, **services}
    write_stack(portsup.cwd, services, base_port=ports_block, defaults=one_file)


def assert_complete(portsup_home: Home) -> None:
    """What `PRINTS` printed is in its log file."""
    with (portsup_home.logs() / "web.log").open("rb") as log:
        assert [int(line[:8]) for line in log] == list(range(LINES))


NOTICE = rb"^portsup \| (\d+) lines skipped: the reader was too slow; the log files have them\n$"


def test_stdout_stalls(portsup: Portsup, portsup_home: Home, ports_block: int, reader: Reader) -> None:
    """The child comes to its end; when the reader reads on it learns how many lines it missed."""
    start(portsup, ports_block, web={"command": PRINTS, "restart": "no"})
    running = portsup.start("up", "-i", "1", stdout=reader.pipe)
    reader.hand_down()
    assert portsup.wait_for_services(1, ["EXITED", "RUNNING"])
    web = portsup.wait_for_service(1, "web", "EXITED")
    assert web["exit"] == "code 0"
    assert_complete(portsup_home)
    skipped = told = 0
    while told + skipped < LINES:
        *read, notice = reader.read_until(NOTICE + rb"| %08d x+\n" % (LINES - 1))
        found = re.match(NOTICE, notice)
        skipped += int(found[1]) if found else 0
        told += len(read) + (not found)
    assert told + skipped == LINES and skipped > 0
    assert portsup.service(1, "idle")["state"] == "RUNNING"
    running.process.terminate()
    assert running.wait() == 143


def test_stderr_stalls(portsup: Portsup, portsup_home: Home, ports_block: int, reader: Reader) -> None:
    """The same for what portsup says itself: here a service that fails with a very long reason each time."""
    pattern = "x" * 300_000
    web = {
        "command": WAITS,
        "ready": {"log": pattern, "timeout": "10ms"},
        "backoff": {"initial": "10ms", "factor": 1, "limit": 30},
    }
    start(portsup, ports_block, web=web)
    running = portsup.start("up", "-i", "1", stderr=reader.pipe)
    reader.hand_down()
    portsup.wait_for_services(1, ["FATAL", "RUNNING"], seconds=30)
    portsup.wait_for_service(1, "web", "FATAL", seconds=30)
    fatal = [event for event in portsup_home.events() if event["event"] == "unit.fatal"]
    assert len(fatal) == 1 and pattern in fatal[0]["message"]
    reader.read_until(NOTICE)
    running.process.terminate()
    reader.read_until(rb"stopping \(SIGTERM\)")
    assert running.wait() == 143


def test_follow_stalls(portsup: Portsup, portsup_home: Home, ports_block: int, reader: Reader) -> None:
    """It reads the file, so that nothing needs to be skipped: the reader gets every line in the end."""
    start(portsup, ports_block, web={"command": PRINTS, "restart": "no"})
    portsup.up("-i", "1", "idle")
    portsup.wait_for_services(1, ["RUNNING", "STOPPED"])
    following = portsup.start("logs", "-f", "-n", str(LINES), stdout=reader.pipe)
    reader.hand_down()
    assert portsup.run("start", "web").returncode in (0, 1)  # it may be over by now
    portsup.wait_for_service(1, "web", "EXITED")
    assert_complete(portsup_home)
    assert following.process.poll() is None
    lines = reader.read_until(rb"%08d x+\n" % (LINES - 1))
    assert lines == [b"web  | %08d %s\n" % (number, b"x" * 70) for number in range(LINES)]
    following.interrupt()
    assert following.wait() == 130


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_the_reader_of_up_goes_away(
    portsup: Portsup, portsup_home: Home, ports_block: int, reader: Reader, stream: str
) -> None:
    """`up | head -1`: the instance goes on, and so do its children."""
    start(portsup, ports_block, web={"command": TICKS})
    streams: dict[str, Any] = {stream: reader.pipe}
    running = portsup.start("up", "-i", "1", **streams)
    reader.hand_down()
    reader.read_until(rb"\n")
    reader.lines.close()
    child = portsup.wait_for_services(1)["services"][1]["pid"]
    log = portsup_home.logs() / "web.log"
    size = log.stat().st_size
    wait_until(lambda: log.stat().st_size > size + 1000, 10, "more output")
    assert portsup.run("restart", "idle").returncode == 0  # something to say on stderr
    web = portsup.service(1, "web")
    assert (web["state"], web["pid"]) == ("RUNNING", child)
    running.process.terminate()
    assert running.wait() == 143
    numbers = log.read_bytes().splitlines()
    assert numbers == [b"%d" % i for i in range(len(numbers))]
    assert "Traceback" not in running.stdout + running.stderr


def test_the_reader_of_logs_goes_away(
    portsup: Portsup, portsup_home: Home, ports_block: int, reader: Reader
) -> None:
    """`logs -f` ends in silence, as it does for `git log | head`; nobody else notices."""
    start(portsup, ports_block, web={"command": TICKS})
    portsup.up("-i", "1")
    child = portsup.wait_for_services(1)["services"][1]["pid"]
    following = portsup.start("logs", "-f", stdout=reader.pipe)
    reader.hand_down()
    reader.read_until(rb"\n")
    reader.lines.close()
    assert following.wait() == 141
    assert following.stderr == ""
    log = portsup_home.logs() / "web.log"
    size = log.stat().st_size
    wait_until(lambda: log.stat().st_size > size + 1000, 10, "more output")
    assert portsup.service(1, "web")["pid"] == child
