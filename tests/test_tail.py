"""The end of a file and what is added to it, also when it is truncated or replaced."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from claims import another_user, open_descriptors, public_folder
from hypothesis import given
from hypothesis import strategies as st

from supervisor import tail
from supervisor.errors import PortsupError
from supervisor.line_times import TimesWriter
from supervisor.paths import rotated_log
from supervisor.tail import Reach, Tail


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "service.log"


@pytest.fixture
def followed(path: Path) -> Iterator[Tail]:
    path.write_bytes(b"one\ntwo\n")
    followed = Tail(path, lines=1)
    assert printed(followed) == b"two\n"
    yield followed
    followed.close()


def printed(opened: Tail) -> bytes:
    return b"".join(piece.data for piece in opened.printed())


def more(opened: Tail) -> bytes:
    piece = opened.more()
    return piece.data if piece else b""


def last(path: Path, lines: int) -> bytes:
    with closing(Tail(path, lines=lines)) as opened:
        return printed(opened)


@given(
    st.lists(st.sampled_from([b"\n", b"a\n", b"b" * 7 + b"\n", b"\xff\0\n"])),
    st.sampled_from([b"", b"end"]),
    st.integers(0, 12),
    st.integers(1, 9),
)
def test_last_lines_whatever_the_block(parts: list[bytes], end: bytes, lines: int, block: int) -> None:
    """As if the file were read whole; an unfinished line counts as one."""
    data = b"".join(parts) + end
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = Path(folder) / "log"
        path.write_bytes(data)
        patch.setattr(tail, "BLOCK", block)
        expected = data.splitlines(keepends=True) if b"\r" not in data else []
        assert last(path, lines) == b"".join(
            expected[len(expected) - lines :] if lines < len(expected) else expected
        )


def test_a_large_file_is_read_from_its_end(path: Path) -> None:
    """Only the blocks that hold the wanted lines are read, so that size costs nothing."""
    with path.open("wb") as file:
        file.truncate(1 << 40)  # a sparse terabyte
        file.seek(0, 2)
        file.write(b"\nlast but one\nlast\n")
    assert last(path, 2) == b"last but one\nlast\n"


@given(
    st.lists(st.sampled_from([b"\n", b"ab\n"]), max_size=4),
    st.lists(st.sampled_from([b"\n", b"ab\n", b"c"]), max_size=8),
    st.integers(0, 5),
    st.integers(0, 30),
)
def test_no_further_back_than_it_reaches(
    aside: list[bytes], parts: list[bytes], lines: int, reach: int
) -> None:
    """As if what is further back weren't there, also where that is in another file."""
    data = b"".join(aside + parts)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = Path(folder) / "log"
        path.write_bytes(b"".join(parts))
        path.with_name("log.1").write_bytes(b"".join(aside))
        patch.setattr(tail, "BLOCK", 4)
        within = data[max(len(data) - reach, 0) :].splitlines(keepends=True)
        stamp(path, (0, 1000))
        stamp(path.with_name("log.1"), (0, 1000))
        with closing(Tail(path, lines=lines, reach=Reach(reach, 0))) as opened:
            assert printed(opened) == b"".join(within[max(len(within) - lines, 0) :])


def stamp(path: Path, *records: tuple[int, int]) -> None:
    """Offsets of the log, and the times of what was written there."""
    times = TimesWriter(path, path.stat().st_ino)
    for offset, time in records:
        times.add(offset, time)
    times.close()


def test_a_line_without_end_is_not_searched_for_its_beginning(path: Path) -> None:
    """Whoever reaches no further has the end of it at once."""
    with path.open("wb") as file:
        file.truncate(1 << 40)
    stamp(path, (0, 1000))
    with closing(Tail(path, lines=20, reach=Reach(9, 1000))) as opened:
        assert printed(opened) == bytes(9)


def test_no_further_back_than_a_time(path: Path) -> None:
    """Be it in the middle of a line; nothing at all where no time is known."""
    path.write_bytes(b"one\ntwo, three\n")
    with closing(Tail(path, lines=20, reach=Reach(100, 1000))) as opened:
        assert printed(opened) == b""
    stamp(path, (0, 999), (8, 1000))
    with closing(Tail(path, lines=20, reach=Reach(100, 1000))) as opened:
        assert printed(opened) == b" three\n"


def test_a_missing_file_has_no_lines_and_may_come(path: Path) -> None:
    """A service that has printed nothing yet."""
    with closing(Tail(path, lines=5)) as opened:
        assert printed(opened) == more(opened) == b""
        path.write_bytes(b"late\n")
        assert more(opened) == b"late\n"


def test_more_is_what_was_added(followed: Tail, path: Path) -> None:
    """Once, and then nothing."""
    with path.open("ab") as file:
        file.write(b"three")
    assert more(followed) == b"three"
    assert more(followed) == b""


def test_a_truncated_file_is_read_from_its_start(followed: Tail, path: Path) -> None:
    """As after `: > service.log`."""
    path.write_bytes(b"new\n")
    assert more(followed) == b"new\n"


def test_a_replaced_file_is_read_to_its_end_first(followed: Tail, path: Path) -> None:
    """Rotation loses no line of the old file and none of the new one."""
    with path.open("ab") as file:
        file.write(b"old end\n")
    path.rename(path.with_suffix(".1"))
    assert more(followed) == b"old end\n"
    assert more(followed) == b""
    path.write_bytes(b"new start\n")
    assert more(followed) == b"new start\n"
    with path.open("ab") as file:
        file.write(b"and on\n")
    assert more(followed) == b"and on\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_another_users_log() -> None:
    """Its mode is 0600: said in a sentence."""
    with public_folder() as folder:
        log = folder / "web.log"
        log.touch(0o600)
        with another_user(), pytest.raises(PortsupError, match=f"cannot read {log}: Permission denied"):
            Tail(log)


def test_no_more_files_than_a_log_can_have(path: Path) -> None:
    """Somebody else's folder may be full of them; each would cost a descriptor."""
    for age in range(300):
        rotated_log(path, age).touch()
    before = open_descriptors()
    with closing(Tail(path)) as opened:
        assert open_descriptors() <= before + 101
        assert more(opened) == b""
    assert open_descriptors() == before


def test_what_fails_keeps_no_descriptors(path: Path) -> None:
    """Neither at first nor later: a server tries again and again."""
    path.write_bytes(b"one\n")
    with closing(Tail(path)) as followed:
        assert more(followed) == b"one\n"
        rotated_log(path, 1).mkdir()
        path.rename(path.with_name("elsewhere"))
        path.write_bytes(b"two\n")
        before = open_descriptors()
        with pytest.raises(PortsupError, match="it is not a file"):
            Tail(path)
        with pytest.raises(PortsupError, match="it is not a file"):
            followed.more()
        assert open_descriptors() == before
