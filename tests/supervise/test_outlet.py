"""Writing to somebody who stops reading."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import wait_until

from supervisor.supervise.outlet import BACKLOG_BYTES, Outlet

LINE = b"x" * 1023 + b"\n"


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe, both ends closed afterwards."""
    read_end, write_end = os.pipe()
    yield read_end, write_end
    for fd in (read_end, write_end):
        try:
            os.close(fd)
        except OSError:
            pass


def collect(fd: int, into: list[bytes]) -> threading.Thread:
    def read() -> None:
        while data := os.read(fd, 1 << 20):
            into.append(data)

    thread = threading.Thread(target=read)
    thread.start()
    return thread


def test_everything_reaches_a_reader(pipe: tuple[int, int]) -> None:
    """In order, and all of it by the time of close."""
    got: list[bytes] = []
    reader = collect(pipe[0], got)
    outlet = Outlet(pipe[1])
    for i in range(1000):
        outlet.write(b"%d\n" % i)
    outlet.close(timeout=10)
    os.close(pipe[1])
    reader.join()
    assert b"".join(got) == b"".join(b"%d\n" % i for i in range(1000))


def rest_of(pipe: tuple[int, int], outlet: Outlet) -> bytes:
    """What comes out once somebody reads and the outlet is closed."""
    got: list[bytes] = []
    reader = collect(pipe[0], got)
    outlet.close(timeout=10)
    os.close(pipe[1])
    reader.join()
    return b"".join(got)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is waited for longer than a test may take."""
    monkeypatch.setattr("supervisor.supervise.outlet.FILE_SECONDS", 1000)


@pytest.mark.usefixtures("patient")
def test_a_file_gets_everything(tmp_path: Path) -> None:
    """No line is dropped, however fast they come."""
    with (tmp_path / "out").open("wb") as file:
        outlet = Outlet(file.fileno())
        for _ in range(40):
            outlet.write(LINE * (BACKLOG_BYTES // len(LINE)))
        outlet.close(timeout=1000)
    assert (tmp_path / "out").stat().st_size == 40 * BACKLOG_BYTES


@pytest.mark.usefixtures("patient")
def test_a_full_disk_keeps_nobody_waiting() -> None:
    """Writing to a file that takes no more ends like a reader that went away."""
    with open("/dev/full", "wb", buffering=0) as full:
        outlet = Outlet(full.fileno())
        outlet._is_file = True  # it is a device, which is not waited for
        for _ in range(4):
            outlet.write(LINE * (BACKLOG_BYTES // len(LINE)))
        outlet.close(timeout=10)


def test_a_file_that_takes_nothing_is_not_waited_for_again_and_again(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The waits are bounded together: then what it can't take is dropped and counted."""
    monkeypatch.setattr("supervisor.supervise.outlet.FILE_SECONDS", 0.05)
    monkeypatch.setattr("supervisor.supervise.outlet.FILE_SHARE", 0.0)
    outlet = Outlet(pipe[1])
    outlet._is_file = True
    lines = BACKLOG_BYTES // len(LINE) * 3  # with a wait for each, they would take an hour
    for _ in range(lines):
        outlet.write(LINE)
    assert sum(map(told_of, rest_of(pipe, outlet).splitlines())) == lines


def test_a_stalled_reader_blocks_nobody(pipe: tuple[int, int]) -> None:
    """What it can't take is dropped and counted; when it reads on, it is told how many lines."""
    outlet = Outlet(pipe[1])
    lines = BACKLOG_BYTES // len(LINE) + 2000
    for _ in range(lines):
        outlet.write(LINE)
    whole = rest_of(pipe, outlet)
    assert b"lines skipped" in whole
    assert sum(map(told_of, whole.splitlines())) == lines


def test_the_notice_waits_for_nothing(pipe: tuple[int, int]) -> None:
    """Whoever reads on is told of every line at once, also when nothing more is printed."""
    outlet = Outlet(pipe[1])
    lines = BACKLOG_BYTES // len(LINE) * 3
    for _ in range(lines):
        outlet.write(LINE)
    got: list[bytes] = []
    reader = collect(pipe[0], got)
    wait_until(lambda: sum(map(told_of, b"".join(got).splitlines())) == lines, 10, "all to be told")
    outlet.close()
    os.close(pipe[1])
    reader.join()


def told_of(line: bytes) -> int:
    """How many lines a reader of this one knows of."""
    return int(line.split()[2]) if b"lines skipped" in line else int(len(line) == len(LINE) - 1)


def test_much_at_once_reaches_a_reader(pipe: tuple[int, int]) -> None:
    """A piece that is longer than the backlog is no reason to drop it: nobody is behind."""
    got: list[bytes] = []
    reader = collect(pipe[0], got)
    outlet = Outlet(pipe[1])
    outlet.write(LINE * (BACKLOG_BYTES // len(LINE) + 1))
    outlet.close(timeout=10)
    os.close(pipe[1])
    reader.join()
    assert b"".join(got).count(LINE) == BACKLOG_BYTES // len(LINE) + 1


def test_a_reader_that_goes_away_ends_only_its_copy(pipe: tuple[int, int]) -> None:
    """No exception, no block."""
    outlet = Outlet(pipe[1])
    os.close(pipe[0])
    for _ in range(BACKLOG_BYTES // len(LINE) * 3):
        outlet.write(LINE)
    outlet.close(timeout=10)


def test_a_descriptor_that_somebody_made_non_blocking(pipe: tuple[int, int]) -> None:
    """A full pipe is waited for as ever, and is no reader that went away."""
    os.set_blocking(pipe[1], False)
    outlet = Outlet(pipe[1])
    for _ in range(1000):
        outlet.write(LINE)
    got: list[bytes] = []
    reader = collect(pipe[0], got)
    outlet.close(timeout=10)
    os.close(pipe[1])
    reader.join()
    assert b"".join(got) == LINE * 1000
