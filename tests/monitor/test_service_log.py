"""What a service printed, line by line: real files, as a supervisor writes them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from claims import NOBODY, instance_record, needs_root, open_descriptors
from hypothesis import given
from hypothesis import strategies as st

from supervisor import paths
from supervisor.config.model import LogLimits
from supervisor.errors import PortsupError
from supervisor.line_times import TimesWriter
from supervisor.monitor import service_log
from supervisor.monitor.service_log import LONGEST_LINE, LogFollower, LogLine
from supervisor.records import InstanceRecord
from supervisor.supervise.logs import LogFile


@pytest.fixture
def record(tmp_path: Path) -> InstanceRecord:
    return instance_record(logs=str(tmp_path))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return paths.service_log(tmp_path, "web")


def all_lines(follower: LogFollower, limit: int = 2000) -> list[LogLine]:
    """What there is now."""
    found = []
    while some := follower.more(limit):
        assert len(some) <= limit
        found += some
    return found


def texts(follower: LogFollower, limit: int = 2000) -> list[str]:
    return [line.text for line in all_lines(follower, limit)]


def test_lines_as_they_were_printed(record: InstanceRecord, log: Path) -> None:
    r"""Without \n or \r\n; progress bars, colours, and what is no UTF-8 stay lines."""
    log.write_bytes(b"one\r\n10%\r20%\r\n\n\x1b[31mred\x1b[0m\nn\xc3\xa9 \xff\xe2\nrest")
    with closing(LogFollower(record, "web")) as follower:
        assert texts(follower) == ["one", "10%\r20%", "", "\x1b[31mred\x1b[0m", "né \ufffd\ufffd"]
        with log.open("ab") as file:
            file.write(b" of it\nnot ended")
        assert texts(follower) == ["rest of it"]
        assert follower.finish() == [LogLine(None, "not ended")] and follower.finish() == []


def stamp(log: Path, *records: tuple[int, int]) -> None:
    """Offsets of the log, and the times of what was written there."""
    with closing(TimesWriter(log, log.stat().st_ino)) as times:
        for offset, moment in records:
            times.add(offset, moment)


def test_times_and_where_to_begin(record: InstanceRecord, log: Path) -> None:
    """The last lines, those since then, or both; a line's time is that of its beginning."""
    log.write_bytes(b"one\ntwo\nthree\nfour\n")
    stamp(log, (0, 1000), (4, 2000), (10, 3000), (14, 4000))
    one, two, three, four = (
        LogLine(1000, "one"),
        LogLine(2000, "two"),
        LogLine(2000, "three"),
        LogLine(4000, "four"),
    )
    for wanted, lines in (
        ({}, [one, two, three, four]),
        ({"lines": 2}, [three, four]),
        ({"lines": 0}, []),
        ({"since": 3500}, [four]),
        ({"since": 2000, "lines": 2}, [three, four]),
        ({"since": 3500, "lines": 2}, [four]),
    ):
        with closing(LogFollower(record, "web", **wanted)) as follower:
            assert all_lines(follower) == lines, wanted
    assert one.to_json() == {"time": 1000, "text": "one"}


def test_followed_over_rotations(record: InstanceRecord, log: Path) -> None:
    """As the supervisor sets it aside: no line is lost, cut or told twice, and all have their time."""
    with (
        closing(LogFile(log, LogLimits(1000, 3), print)) as file,
        closing(LogFollower(record, "web")) as lines,
    ):
        begun = time.time_ns() // 1_000_000
        told = []
        for number in range(100):
            file.write(b"%050d\n" % number)
            if number % 9 == 0:
                told += all_lines(lines)
        told += all_lines(lines)
        assert [int(line.text) for line in told] == list(range(100))
        assert all(line.time is not None and begun <= line.time <= begun + 60_000 for line in told)
        assert paths.rotated_log(log, 2).exists()


@given(
    st.lists(st.sampled_from([b"\n", b"\r\n", b"aaa", "é".encode(), "éé€".encode(), b"\xff", b"c\r"])),
    st.integers(1, 4),
    st.integers(4, 9),
)
def test_whatever_was_printed(pieces: list[bytes], limit: int, longest: int) -> None:
    """As if it were read whole, line by line, where long ones are cut without tearing a character."""
    data = b"".join(pieces)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(service_log, "LONGEST_LINE", longest)
        paths.service_log(Path(folder), "web").write_bytes(data)
        with closing(LogFollower(instance_record(logs=folder), "web")) as follower:
            told = [*texts(follower, limit), *(line.text for line in follower.finish())]
    assert "".join(told) == without_ends(data)
    assert all(len(text.encode()) <= longest * 3 for text in told)


def without_ends(data: bytes) -> str:
    *ended, rest = data.split(b"\n")
    lines = [*(line.removesuffix(b"\r") for line in ended), rest.removesuffix(b"\r")]
    return "".join(line.decode(errors="replace") for line in lines)


def test_a_line_without_end_is_cut(record: InstanceRecord, log: Path) -> None:
    """Nobody holds more than a little of it, and one call gives no more than a little beyond its batch."""
    log.write_bytes(b"x" * (40 * LONGEST_LINE) + b"\nnext\n")
    with closing(LogFollower(record, "web")) as follower:
        first = follower.more()
        assert sum(len(line.text) for line in first) <= 2 * service_log.BATCH
        told = [*(line.text for line in first), *texts(follower)]
    assert all(len(text) <= LONGEST_LINE for text in told)
    assert "".join(told) == "x" * (40 * LONGEST_LINE) + "next" and told[-1] == "next"


def test_the_last_lines_of_a_file_without_any(record: InstanceRecord, log: Path) -> None:
    """A sparse terabyte isn't searched for the beginning of its last line."""
    with log.open("wb") as file:
        file.truncate(1 << 40)
    with closing(LogFollower(record, "web", lines=3)) as follower:
        found = [*all_lines(follower), *follower.finish()]
    assert sum(len(line.text) for line in found) == 3 * LONGEST_LINE


def test_nothing_is_printed_yet(record: InstanceRecord, log: Path) -> None:
    """No lines, and no error; those that come are told."""
    with closing(LogFollower(record, "web", lines=5)) as follower:
        assert all_lines(follower) == []
        log.write_bytes(b"late\n")
        assert texts(follower) == ["late"]


@pytest.fixture
def another_users(log: Path) -> Iterator[Path]:
    log.write_bytes(b"secret\n")
    os.chown(log, NOBODY, -1)
    yield log


@needs_root
def test_another_users_file_is_refused(record: InstanceRecord, another_users: Path) -> None:
    """Also one that was set aside, or that comes later; and times that are another's are unknown."""
    before = open_descriptors()
    with pytest.raises(PortsupError, match=f"cannot read {another_users}: it belongs to uid {NOBODY}"):
        LogFollower(record, "web")
    aside = another_users.rename(paths.rotated_log(another_users, 1))
    another_users.write_bytes(b"first\nown\n")
    stamp(another_users, (0, 1000))
    os.chown(paths.line_times(another_users), NOBODY, -1)
    with pytest.raises(PortsupError, match="belongs to uid"):
        LogFollower(record, "web")
    assert open_descriptors() == before
    theirs = aside.rename(aside.with_name("theirs"))
    with closing(LogFollower(record, "web", lines=1)) as follower:
        assert all_lines(follower) == [LogLine(None, "own")]
        another_users.rename(aside)
        theirs.rename(another_users)
        with pytest.raises(PortsupError, match="belongs to uid"):
            follower.more()
    assert open_descriptors() == before


def test_a_link_is_refused(record: InstanceRecord, log: Path, tmp_path: Path) -> None:
    """Wherever it leads."""
    (tmp_path / "elsewhere").write_bytes(b"x\n")
    log.symlink_to("elsewhere")
    with pytest.raises(PortsupError, match="it is a link"):
        LogFollower(record, "web")
