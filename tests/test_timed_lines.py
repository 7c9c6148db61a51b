"""Lines of several services in order of time."""

from __future__ import annotations

from supervisor.cli.line_forms import as_json, iso, plain
from supervisor.timed_lines import LineTimer, TimedLines, in_order


class Told:
    """A piece of a log whose times are known from elsewhere."""

    def __init__(self, *pieces: tuple[int | None, bytes]) -> None:
        self._pieces = pieces

    def timed(self) -> tuple[tuple[int | None, bytes], ...]:
        return self._pieces


def timed(service: str, *pieces: tuple[int | None, bytes]) -> list[TimedLines]:
    timer = LineTimer(service)
    return [*timer(Told(*pieces)), *timer.finish()]  # type: ignore[arg-type]


def test_a_line_has_the_time_of_its_beginning() -> None:
    """However many pieces it came in; an unfinished one is ended."""
    lines = timed("a", (1, b"one\ntw"), (2, b"o"), (3, b"!\nthree\nfour\nfi"), (4, b"ve"))
    assert [(some.time, some.lines) for some in lines] == [
        (1, b"one\n"),
        (1, b"two!\n"),
        (3, b"three\nfour\n"),
        (3, b"five\n"),
    ]


def test_services_are_merged_and_never_reordered() -> None:
    """By time; what has none comes first; a clock that is set back doesn't turn a service's lines round."""
    a = timed("a", (None, b"a0\n"), (5, b"a1\n"), (2, b"a2\n"), (7, b"a3\n"))
    b = timed("b", (1, b"b1\n"), (6, b"b2\n"), (7, b"b3\n"))
    assert [some.lines.decode().strip() for some in in_order([a, b])] == [
        "a0",
        "b1",
        "a1",
        "a2",
        "b2",
        "a3",
        "b3",
    ]


def test_forms() -> None:
    """Times in one width, prefixes before them; JSON for whatever bytes there are."""
    form = plain({"web": b"web | "}, bytes, times=True)
    known, unknown = timed("web", (None, b"x\n"), (1_795_521_600_007, b"\xff\r\n\n"))[::-1]
    assert (
        form(known)
        == f"web | {iso(known.time)} ".encode() + b"\xff\r\n" + f"web | {iso(known.time)} \n".encode()
    )
    assert form(unknown).decode() == f"web | -{' ' * len(iso(0) or '')}x\n"
    assert as_json(3)(unknown) == b'{"time": null, "service": "web", "instance": 3, "line": "x"}\n'
    assert as_json(3)(known).count(b"\n") == 2 and b'"line": "\\ufffd\\r"' in as_json(3)(known)
