"""`portsup logs` of a real instance whose services print more than one file holds."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from harness import Home, Portsup, wait_until, write_stack

from supervisor import paths
from supervisor.line_times import HEAD, MAGIC, RECORD
from supervisor.paths import line_times, rotated_log

PYTHON = [sys.executable, "-I", "-S", "-c"]

TALKS = """
import os, sys
orders = os.open(sys.argv[1], os.O_RDWR)  # so that it never ends
for lines in os.fdopen(orders):
    for number in range(int(lines)):
        print(f"{number:06d}", "x" * 70, flush=number % 50 == 0)
    sys.stdout.flush()
"""
"""Prints as many lines as it is told to through a pipe, numbered from 0."""


def talker(folder: Path, name: str) -> dict[str, object]:
    os.mkfifo(folder / f"{name}.pipe")
    command = [*PYTHON, TALKS, str(folder / f"{name}.pipe")]
    return {"command": command, "log": {"max_size": "64KB", "files": 3}}


def tell(folder: Path, name: str, lines: int) -> None:
    (folder / f"{name}.pipe").write_text(f"{lines}\n")


@pytest.mark.slow
def test_a_follower_over_rotations(
    portsup: Portsup, portsup_home: Home, ports_block: int, tmp_path: Path
) -> None:
    """Every line once and in order, of one service byte for byte and of two merged by time, as JSON; and
    the last lines and those since a moment are found over all the files."""
    services = {name: talker(tmp_path, name) for name in ("web", "db")}
    write_stack(tmp_path, services, base_port=ports_block)
    assert portsup.run("up", "-i", "1", "-d", "--wait").returncode == 0
    tell(tmp_path, "web", 10)
    log = portsup_home.logs() / "web.log"
    wait_until(lambda: log.exists() and log.read_bytes().count(b"\n") == 10, 10, "the first lines")
    alone = portsup.start("logs", "web", "-f", "-n", "4")
    both = portsup.start("logs", "-f", "--json")
    wait_until(lambda: alone.stdout.count("\n") == 4 and both.stdout.count("\n") == 10, 10, "both followers")
    expected = [*range(6, 10)]
    for count in (500, 1200, 700):  # less than a file, more than one, and over the next rotation
        for name in ("web", "db"):
            tell(tmp_path, name, count)
        expected += range(count)
        seen = len(expected)
        wait_until(lambda seen=seen: alone.stdout.count("\n") == seen, 10, "the lines")  # type: ignore[misc]
    assert [int(line[:6]) for line in alone.stdout.splitlines()] == expected
    wait_until(lambda: both.stdout.count("\n") == 10 + 2 * 2400, 10, "all lines of both")
    objects = [json.loads(line) for line in both.stdout.splitlines()]
    assert {(one["instance"], *sorted(one)) for one in objects} == {
        (1, "instance", "line", "service", "time")
    }
    for name, first in (("web", [*range(10)]), ("db", [])):
        numbers = [int(one["line"][:6]) for one in objects if one["service"] == name]
        assert numbers == [*first, *range(500), *range(1200), *range(700)]
    assert all(datetime.fromisoformat(one["time"]).tzinfo for one in objects)
    assert rotated_log(log, 2).exists() and not rotated_log(log, 3).exists()

    last = portsup.run("logs", "web", "-n", "1000").stdout.splitlines()
    assert [int(line[:6]) for line in last] == [*range(900, 1200), *range(700)]
    moment = objects[-1]["time"]
    since = [
        json.loads(line) for line in portsup.run("logs", "--since", moment, "--json").stdout.splitlines()
    ]
    assert since and min(one["time"] for one in since) >= moment
    stamped = portsup.run("logs", "-t", "--since", "10m", "-n", "3").stdout.splitlines()
    assert len(stamped) == 6 and all(
        re.match(r"(web|db ) \| \d{4}-\d\d-\d\dT[\d:.]{12}\S{6} 000[67]", one) for one in stamped
    )
    assert [one[6:35] for one in stamped] == sorted(one[6:35] for one in stamped)
    assert portsup.run("down").returncode == 0


LINES = 1_000_000
LINE = b"x" * 99 + b"\n"
GROWTH_MAX = 8 << 20
"""Bytes of memory: a fraction of what the files hold."""


def old_log(log: Path, lines: int, start: datetime) -> None:
    """As it was left by a run that printed a hundred lines each millisecond, or all at once."""
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(LINE * lines)
    first = round(start.timestamp() * 1000)
    records = (RECORD.pack(number * 100 * len(LINE), first + number) for number in range(lines // 100))
    line_times(log).write_bytes(HEAD.pack(MAGIC, log.stat().st_ino) + b"".join(records))


TELLS_PEAK = """
import sys
from supervisor.cli.main import main
code = main(sys.argv[1:])
(peak,) = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(peak, file=sys.stderr)
sys.exit(code)
"""


def peak(portsup: Portsup, *arguments: str) -> tuple[int, int]:
    """The memory that a command took at most, and how much it wrote; both in bytes."""
    out = portsup.home.folder / "out"
    with out.open("wb") as file:
        done = subprocess.run(
            [sys.executable, "-c", TELLS_PEAK, *arguments],
            cwd=portsup.cwd,
            env=portsup.home.environ,
            stdout=file,
            stderr=subprocess.PIPE,
            timeout=60,
            check=True,
        )
    return int(done.stderr.splitlines()[-1]) * 1024, out.stat().st_size


@pytest.mark.slow
def test_large_logs_are_not_read_into_memory(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """A hundred megabytes pass through in the memory that a few lines take."""
    services = {name: {"command": "true"} for name in ("big", "small")}
    config = write_stack(portsup.cwd, services, base_port=ports_block)
    folder = paths.log_folder(paths.instance_folder(config, "test", 1, portsup_home.environ))
    start = datetime(2026, 11, 24, 10)
    old_log(paths.service_log(folder, "big"), LINES, start)
    old_log(paths.service_log(folder, "small"), 100, start)
    few, _ = peak(portsup, "logs", "-n", "1")
    alone, written = peak(portsup, "logs", "big", "-n", str(LINES))
    assert written == LINES * len(LINE)
    merged, written = peak(portsup, "logs", "--since", "2026-11-24T10:00:05")
    assert written == LINES // 2 * len(b"big   | " + LINE)
    assert max(alone, merged) < few + GROWTH_MAX
