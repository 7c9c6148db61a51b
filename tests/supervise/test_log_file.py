"""A log that is set aside while it is written, its times, and who follows it: against a simple model."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from fuzzing import amounts, for_all
from hypothesis import strategies as st

from supervisor import tail
from supervisor.config.model import LogLimits
from supervisor.errors import PortsupError
from supervisor.line_times import HEAD, RECORD
from supervisor.paths import line_times, rotated_log
from supervisor.supervise import logs, rotation
from supervisor.supervise.logs import LogFile
from supervisor.supervise.rotation import EARLIER, set_aside
from supervisor.tail import Tail
from supervisor.timed_lines import LineTimer

Timed = tuple[int | None, bytes]

START = 1_800_000_000_000
"""Milliseconds since 1970."""


def unheard(message: str) -> None:
    raise AssertionError(message)


def parts(path: Path) -> list[bytes]:
    """The log's files, the oldest first."""
    names = [rotated_log(path, age) for age in range(110)]
    return [name.read_bytes() for name in reversed(names) if name.exists()]


def whole(path: Path) -> bytes:
    return b"".join(parts(path))


class Follower:
    """Whoever looks now and then, and what they have seen."""

    def __init__(self, path: Path, *, lines: int | None = None, since: int | None = None) -> None:
        self._tail = Tail(path, lines=lines, since=since)
        self._timer = LineTimer("web")
        self.seen = b""
        self.lines: list[Timed] = []
        for piece in self._tail.printed():
            self._take(piece)

    def look(self) -> None:
        while piece := self._tail.more():
            self._take(piece)

    def _take(self, piece: tail.Piece) -> None:
        self.seen += piece.data
        for some in self._timer(piece):
            self.lines += [(some.time, line) for line in some.lines.splitlines(keepends=True)]

    def close(self) -> None:
        self._tail.close()


class Model:
    """A log as it should be: all that was written, and when."""

    def __init__(self, path: Path, limits: LogLimits, patch: pytest.MonkeyPatch) -> None:
        self.path = path
        self.limits = limits
        self.written = b""
        self.times: list[int] = []
        """Of each byte."""
        self.now = START
        self.rotations = 0
        self.restarts = 0
        """After each, a line may follow that the file has no room for: it may belong to the one before."""
        self.records = False
        """Whether a writer of times is at work."""
        self.forgotten = False
        """Whether times were lost on purpose."""
        patch.setattr(time, "time_ns", lambda: self.now * 1_000_000)
        patch.setattr(logs, "rotate", self._counted(rotation.rotate))
        self.log = self._open()

    def _counted(self, rotate: Callable[[Path, int], int]) -> Callable[[Path, int], int]:
        def counted(path: Path, files: int) -> int:
            self.rotations += 1
            return rotate(path, files)

        return counted

    def _open(self) -> LogFile:
        self.restarts += 1
        return LogFile(self.path, self.limits, unheard)

    def write(self, data: bytes) -> None:
        self.log.write(data)
        self.records = self.records or bool(data)
        self.written += data
        self.times += [self.now] * len(data)

    def restart(self, torn: bytes) -> None:
        """Killed while it wrote a record, or right after that."""
        self.log.close()
        if torn and self.records:
            record = RECORD.pack(self.path.stat().st_size, self.now)
            with line_times(self.path).open("ab") as file:
                file.write(record[: len(torn)])
        self.records = False
        self.log = self._open()

    def forget(self) -> None:
        """Somebody deletes the times."""
        self.log.close()
        line_times(self.path).unlink(missing_ok=True)
        self.forgotten = True
        self.records = False
        self.log = self._open()

    def kept_lines(self) -> list[Timed]:
        """The finished lines that the files should hold, with their times."""
        position = len(self.written) - len(whole(self.path))
        found: list[Timed] = []
        for line in self.written[position:].splitlines(keepends=True):
            if line.endswith(b"\n"):
                found.append((self.times[position], line))
            position += len(line)
        return found

    def check(self) -> None:
        files = parts(self.path)
        kept = b"".join(files)
        assert self.written.endswith(kept)
        assert len(files) <= self.limits.files
        if len(files) < self.limits.files:
            assert kept == self.written, "nothing was to be dropped yet"
        for file in files[:-1]:
            assert file.endswith(b"\n"), "no line is cut in two"
            assert file[self.limits.max_size : -1].count(b"\n") <= self.restarts
        assert kept or not self.written


chunks = st.builds(
    lambda sizes, end: b"\n".join(b"%02d" % (size % 100) * size for size in sizes) + end,
    st.lists(st.integers(0, 12), min_size=1, max_size=6),
    st.sampled_from([b"", b"\n", b"\n", b"\n\n"]),
)
steps = st.one_of(
    st.tuples(st.just("write"), chunks),
    st.tuples(st.just("write"), chunks),
    st.tuples(st.just("write"), chunks),
    st.tuples(st.just("wait"), st.integers(1, 50)),
    st.tuples(st.just("look"), st.none()),
    st.tuples(st.just("restart"), st.binary(max_size=RECORD.size)),
    st.tuples(st.just("forget"), st.none()),
)
histories = st.tuples(
    st.builds(LogLimits, st.integers(1, 60), st.integers(1, 4)),
    st.integers(1, 9),
    st.lists(steps, max_size=40),
)


@contextmanager
def model(limits: LogLimits) -> Iterator[Model]:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        one = Model(Path(folder) / "web.log", limits, patch)
        yield one
        one.log.close()


def replay(history: tuple[LogLimits, int, list[tuple[str, object]]]) -> None:
    limits, block, done = history
    with model(limits) as one, pytest.MonkeyPatch.context() as patch:
        patch.setattr(tail, "BLOCK", block)
        with closing(Follower(one.path)) as follower:
            looked_at, most = 0, 0
            for step, value in done:
                if step == "write":
                    one.write(value)  # type: ignore[arg-type]
                elif step == "wait":
                    one.now += value  # type: ignore[operator]
                elif step == "restart":
                    one.restart(value)  # type: ignore[arg-type]
                elif step == "forget":
                    one.forget()
                most = max(most, one.rotations - looked_at)
                if step == "look" or one.rotations - looked_at >= limits.files - 1:
                    follower.look()
                    looked_at = one.rotations
                one.check()
            follower.look()
            _check_follower(one, follower, most)
        _check_readers(one)


def _check_follower(one: Model, follower: Follower, most: int) -> None:
    """`most` rotations came between two looks."""
    if most > one.limits.files:  # a whole file came and went
        assert whole(one.path).endswith(follower.seen[-1:])
        return
    assert follower.seen == one.written
    gone = most == one.limits.files  # with its times; the file itself was open
    position = 0
    for told, line in follower.lines:
        assert told == one.times[position] or (told is None and (one.forgotten or gone))
        position += len(line)


def _check_readers(one: Model) -> None:
    expected = one.kept_lines()
    kept = whole(one.path)
    for lines in (0, 1, 3, 7):
        with closing(Follower(one.path, lines=lines)) as reader:
            last = kept.splitlines(keepends=True)
            assert reader.seen == b"".join(last[len(last) - lines :] if lines < len(last) else last)
    if not one.forgotten:
        for since in sorted({*one.times, START - 1, one.now + 1}):
            with closing(Follower(one.path, since=since)) as reader:
                assert reader.lines == [(told, line) for told, line in expected if (told or 0) >= since]


@amounts(150)
def test_any_history(amount: int) -> None:
    """All files together end with just what was written, no line is cut, a follower sees each once, and
    every time that is told is the right one: over restarts, kills, rotations and looks at any moment."""
    for_all(histories, replay, amount)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "web.log"


class Clock:
    """The wall clock, in milliseconds."""

    now = START


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    one = Clock()
    monkeypatch.setattr(time, "time_ns", lambda: one.now * 1_000_000)
    return one


def opened(path: Path, limits: LogLimits, heard: list[str] | None = None) -> LogFile:
    return LogFile(path, limits, unheard if heard is None else heard.append)


@pytest.mark.parametrize("files", [1, 2, 5])
def test_so_many_files_are_kept(path: Path, files: int) -> None:
    """And of those of another time, when there were more, none."""
    for age in (files, files + 1):
        rotated_log(path, age).write_text("old\n")
    with closing(opened(path, LogLimits(10, files))) as log:
        for number in range(8):
            log.write(b"%07d\n" % number)
    assert parts(path) == [b"%07d\n" % number for number in range(8 - files, 8)]
    assert len(list(path.parent.iterdir())) == 2 * files, "each with its times"


def test_a_gap_is_closed(path: Path) -> None:
    """What was killed between two renames costs no file."""
    rotated_log(path, 2).write_text("oldest\n")
    path.write_text("old\n")
    with closing(opened(path, LogLimits(4, 3))) as log:
        log.write(b"\nnew\n")
    assert parts(path) == [b"oldest\n", b"old\n\n", b"new\n"]


def test_what_cannot_be_set_aside_grows_on(path: Path) -> None:
    """Said once; and when it can be again, it is."""
    heard: list[str] = []
    (rotated_log(path, 1) / "in the way").mkdir(parents=True)
    with closing(opened(path, LogLimits(8, 2), heard)) as log:
        for _ in range(4):
            log.write(b"1234567\n")
        assert path.read_bytes() == b"1234567\n" * 4
        rotated_log(path, 1).rename(path.with_name("elsewhere"))
        log.write(b"end\n")
    assert parts(path) == [b"1234567\n" * 4, b"end\n"]
    assert heard == [f"cannot set {path} aside: Is a directory; it grows on"]


def test_a_full_disk(path: Path, clock: Clock) -> None:
    """Output is lost, which is said once. Of what comes after it the times are right, or not known."""
    heard: list[str] = []
    with closing(opened(path, LogLimits(), heard)) as log:
        log.write(b"one\n")
        with small_files(10):
            for clock.now in (START + 1, START + 2):
                log.write(b"two, too long\n")
        clock.now = START + 3
        log.write(b"\nthree\n")
    (told,) = heard
    assert told == f"cannot write to {path}: File too large; output is lost until it can"
    with closing(Follower(path)) as reader:
        assert reader.lines[-1] == (START + 3, b"three\n")
        assert {told for told, _ in reader.lines[:-1]} == {None}


def test_a_line_that_a_full_disk_cut(path: Path) -> None:
    """What comes after it is no beginning of a line, and no place to end a file."""
    heard: list[str] = []
    with closing(opened(path, LogLimits(12, 2), heard)) as log:
        log.write(b"one\n")
        with small_files(10):
            log.write(b"two, fu\n")
        log.write(b"ull again\nthree\n")
    assert parts(path) == [b"one\ntwo, full again\n", b"three\n"]


@contextmanager
def small_files(size: int) -> Iterator[None]:
    """No file of this process grows beyond that: for whoever writes, that is as a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_log_that_is_truncated_by_hand(path: Path, clock: Clock) -> None:
    """As with `: > web.log`: what comes then has its own times."""
    with closing(opened(path, LogLimits())) as log:
        for clock.now in range(START - 9, START + 1):
            log.write(b"old\n")
        os.truncate(path, 0)
        for clock.now in (START + 2, START + 3, START + 4):
            log.write(b"new\n")
    with closing(Follower(path)) as reader:
        assert reader.lines == [(START + more, b"new\n") for more in (2, 3, 4)]


def test_a_line_that_had_begun_before(path: Path, clock: Clock) -> None:
    """What was printed since a moment begins with a line that began then."""
    with closing(opened(path, LogLimits())) as log:
        log.write(b"one\ntw")
        clock.now += 1
        log.write(b"o\nthree\n")
    with closing(Follower(path, since=START + 1)) as reader:
        assert reader.lines == [(START + 1, b"three\n")]


@pytest.mark.parametrize("planted", ["link", "folder"])
def test_no_times_are_written_elsewhere(path: Path, tmp_path: Path, planted: str) -> None:
    """What lies under the name of the times isn't written through, and the log is complete without them."""
    target = tmp_path / "precious"
    target.write_text("mine")
    if planted == "link":
        line_times(path).symlink_to(target)
    else:
        line_times(path).mkdir()
    with closing(opened(path, LogLimits())) as log:
        log.write(b"one\n")
    assert (path.read_bytes(), target.read_text()) == (b"one\n", "mine")
    with closing(Follower(path)) as reader:
        assert reader.lines == [(None, b"one\n")]


def test_a_linked_log_is_refused(path: Path, tmp_path: Path) -> None:
    """As when it is opened first."""
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PortsupError, match="it is a link"):
        opened(path, LogLimits())


def test_a_run_begins_without_files(path: Path) -> None:
    """What the last one left lies beside, and what the one before it left is gone."""
    for number in range(2):
        with closing(opened(path, LogLimits(2, 3 - number))) as log:
            for line in (b"a\n", b"b\n", b"c\n"):
                log.write(line)
        set_aside(path)
        assert parts(path) == []
    earlier = path.parent / EARLIER / path.name
    assert parts(earlier) == [b"b\n", b"c\n"]
    assert sorted(file.name for file in path.parent.iterdir()) == [EARLIER]
    with closing(Follower(earlier)) as reader:
        assert None not in [told for told, _ in reader.lines]


def test_a_follower_goes_on_behind_a_new_run(path: Path) -> None:
    """All of the old run, and then all of the new one."""
    limits = LogLimits(4, 3)
    with closing(opened(path, limits)) as log:
        log.write(b"1\n2\n3\n4\n5\n")
        with closing(Follower(path)) as follower:
            log.write(b"6\n")
            set_aside(path)
            with closing(opened(path, limits)) as other:
                other.write(b"7\n8\n9\n")
                follower.look()
                assert follower.seen == b"1\n2\n3\n4\n5\n6\n7\n8\n9\n"


def test_the_times_of_another_file(path: Path) -> None:
    """A copy has none, and a file that says no more than its head hasn't either."""
    with closing(opened(path, LogLimits())) as log:
        log.write(b"one\n")
    path.rename(path.with_name("moved"))
    path.write_bytes(b"one\n")
    with closing(Follower(path)) as reader:
        assert reader.lines == [(None, b"one\n")]
    os.truncate(line_times(path), HEAD.size)
    path.unlink()
    path.with_name("moved").rename(path)
    with closing(Follower(path)) as reader:
        assert reader.lines == [(None, b"one\n")]
