"""Times of lines are read whatever lies where they should be: right ones, or none."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.line_times import HEAD, LATEST, MAGIC, RECORD, LineTimes
from supervisor.paths import line_times

SIZE = 100
"""Of each log here, in bytes."""

Told = tuple[list[tuple[int | None, int]], int | None, int | None]


def read(folder: Path, times: Callable[[int], bytes], since: int = 0) -> Told:
    """What is told of a log beside which `times` of its inode lie: pieces, `since`, `known_from`."""
    path = folder / "web.log"
    path.write_bytes(b"x" * SIZE)
    with path.open("rb") as log:
        line_times(path).write_bytes(times(os.fstat(log.fileno()).st_ino))
        with closing(LineTimes(path, log.fileno())) as reader:
            return list(reader.pieces(0, SIZE)), reader.since(since), reader.known_from


def written(*records: tuple[int, int]) -> Callable[[int], bytes]:
    return lambda inode: HEAD.pack(MAGIC, inode) + b"".join(RECORD.pack(*record) for record in records)


def test_pieces(tmp_path: Path) -> None:
    """Cut where the time changes; of two records for one offset the second holds."""
    records = written((10, 1), (10, 2), (60, 3))
    assert read(tmp_path, records, since=3) == ([(None, 10), (2, 50), (3, 40)], 60, 10)
    assert read(tmp_path, records, since=4)[1] == SIZE


def test_a_torn_record_does_not_count(tmp_path: Path) -> None:
    """The ones before it do."""
    assert read(tmp_path, lambda inode: written((0, 1), (50, 2))(inode)[:-1])[0] == [(1, SIZE)]


@pytest.mark.parametrize(
    "times",
    [
        lambda _: b"",
        lambda inode: written((0, 1))(inode + 1),
        lambda inode: b"\0" + written((0, 1))(inode)[1:],
        written(),
        written((0, 1), (SIZE + 1, 2)),
        written((0, 1), (50, 2), (40, 3)),
        written((0, LATEST + 1)),
        written((0, 1 << 63)),
    ],
    ids=["empty", "of another", "foreign", "headonly", "stale", "unordered", "year 10000", "huge"],
)
def test_times_that_cannot_be_right_are_unknown(tmp_path: Path, times: Callable[[int], bytes]) -> None:
    """Never guessed."""
    assert read(tmp_path, times)[0] == [(None, SIZE)]


@given(st.binary(max_size=100) | st.lists(st.tuples(st.integers(0, 120), st.integers(0, 1 << 64 - 1))))
def test_whatever_lies_there(noise: bytes | list[tuple[int, int]]) -> None:
    """Nothing is raised, and the pieces are those of the log."""
    with TemporaryDirectory() as folder:
        records = noise if isinstance(noise, bytes) else written(*noise)(0)[HEAD.size :]
        pieces, since, _ = read(Path(folder), lambda inode: HEAD.pack(MAGIC, inode) + records, since=5)
        assert sum(length for _, length in pieces) == SIZE
        assert all(time is None or 0 <= time <= LATEST for time, _ in pieces)
        assert since is None or since >= 0


READS = """
import os, sys
from pathlib import Path
from supervisor.line_times import LineTimes
log = Path(sys.argv[1])
print(*LineTimes(log, os.open(log, os.O_RDONLY)).pieces(0, 1))
"""


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """Nobody writes to it: who opened it as a file would wait for ever."""
    log = tmp_path / "web.log"
    log.write_bytes(b"x")
    os.mkfifo(line_times(log))
    done = subprocess.run([sys.executable, "-c", READS, log], capture_output=True, timeout=10, check=False)
    assert done.stdout == b"(None, 1)\n"
