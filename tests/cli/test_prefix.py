"""Several services on one stream: whole lines only."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from supervisor.cli.prefix import prefixer, prefixes
from supervisor.lines import LINE_MAX, colours


@given(st.lists(st.binary(max_size=20).map(lambda data: data.replace(b"\xff", b"\n"))))
def test_however_it_is_cut_each_line_has_one_prefix(chunks: list[bytes]) -> None:
    """The lines are those of the whole text, each with the prefix once."""
    written: list[bytes] = []
    writer = prefixer(b"> ", written.append)
    for chunk in chunks:
        writer(chunk)
        assert all(piece.endswith(b"\n") for piece in written)
    writer.finish()
    lines = b"".join(chunks).split(b"\n")
    if not lines[-1]:
        lines.pop()
    assert b"".join(written) == b"".join(b"> " + line + b"\n" for line in lines)


def test_a_line_without_end_is_cut() -> None:
    """A flood without a newline is held back only so long."""
    written: list[bytes] = []
    writer = prefixer(b"", written.append)
    for _ in range(3):
        writer(b"x" * (LINE_MAX // 2))
    assert b"".join(written) == b"x" * (3 * LINE_MAX // 2) + b"\n"


def test_prefixes_are_aligned_and_keep_their_colours() -> None:
    """A service alone has the colour that it has among all."""
    known = ["a", "longer"]
    plain = prefixes(known, known, colour=False)
    assert plain == [b"a      | ", b"longer | "]
    assert prefixes(["longer"], known, colour=True) == [prefixes(known, known, colour=True)[1]]


def test_colours_are_steady() -> None:
    """`up` knows services in the order in which they start, `logs` by name."""
    assert colours(["web", "db", "api"]) == colours(["api", "db", "web"])
    assert len(set(colours(["web", "db", "api"]).values())) == 3
