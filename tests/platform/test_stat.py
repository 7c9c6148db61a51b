"""Reading /proc/PID/stat, whose second field may hold anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.platform.contract import Owner
from supervisor.platform.linux import _parse_stat

TAIL = "4 5 6 0 -1 4194560 88 0 0 0 0 0 0 0 20 0 {threads} 0 {started} 5 6 7 8"


def line(name: bytes, *, state: str = "S", threads: int = 1, started: int = 1234) -> bytes:
    tail = TAIL.format(threads=threads, started=started)
    return b"3 (" + name + b") " + f"{state} {tail}\n".encode()


@pytest.mark.parametrize("name", [b"python3", b"a b", b"we) ird", b") S 1 1 (", b"()", b"", b"\xff\n)"])
def test_any_name_is_survived(name: bytes) -> None:
    """The fields are counted from the last parenthesis."""
    found = _parse_stat(line(name))
    assert found is not None
    assert (found.pid, found.ppid, found.pgid, found.sid, found.state) == (3, 4, 5, 6, "S")
    assert found.owner == Owner(3, 1234)


@given(st.binary(max_size=15))
def test_no_name_confuses_it(name: bytes) -> None:
    """Whatever a process calls itself, its start time is read right."""
    found = _parse_stat(line(name))
    assert found is not None and found.started == 1234


@pytest.mark.parametrize(("threads", "zombie"), [(1, True), (2, False)])
def test_a_process_without_its_first_thread_is_no_zombie(threads: int, zombie: bool) -> None:
    """State Z of the first thread alone doesn't say that the process is dead."""
    found = _parse_stat(line(b"x", state="Z", threads=threads))
    assert found is not None and found.zombie is zombie


@pytest.mark.parametrize("text", [b"", b"3 (half"])
def test_what_is_gone_reads_as_none(text: bytes) -> None:
    """An empty or torn file is a process that just vanished."""
    assert _parse_stat(text) is None
