"""How a table is laid out: widths, folds, colours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.cli.table import FOLD_LEAST, UNLIMITED, Cell, Column, View, cut, render


def column(title: str, *texts: str, style: str = "", **keys: int) -> Column:
    return Column(title, [Cell(text, style) for text in texts], **keys)  # type: ignore[arg-type]


def test_columns_are_aligned() -> None:
    """Words to the left, numbers to the right, two spaces between."""
    columns = [column("name", "a", "longer"), column("pid", "7", "12345", right=True), column("x", "", "y")]
    assert render(View(columns), width=UNLIMITED, colour=False).splitlines() == [
        "name      pid  x",
        "a           7",
        "longer  12345  y",
    ]


def test_wide_characters_count_as_what_they_take() -> None:
    """An ideogram takes two cells, so that the next column still begins below its title."""
    view = View([column("name", "\u670d\u52d9", "abcd"), column("x", "1", "2")])
    assert render(view, width=UNLIMITED, colour=False).splitlines()[1:] == ["\u670d\u52d9  1", "abcd  2"]


def test_the_widest_column_folds_first() -> None:
    """What fits stays on one line beside what doesn't."""
    view = View([column("a", "a" * 20, fold=True), column("b", "b" * 40, fold=True), column("c", "c")])
    assert render(view, width=50, colour=False).splitlines() == [
        "a" + " " * 21 + "b" + " " * 26 + "c",
        f"{'a' * 20}  {'b' * 25}  c",
        " " * 22 + "b" * 15,
    ]


def test_a_column_folds_no_further_than_its_least() -> None:
    """Where no other one can be dropped; a terminal narrower than that breaks the line by itself."""
    view = View([column("a", "a" * 40, fold=True), column("b", "b" * 9)])
    assert render(view, width=25, colour=False).splitlines()[1] == f"{'a' * 14}  {'b' * 9}"
    assert render(view, width=10, colour=False).splitlines()[1] == f"{'a' * FOLD_LEAST}  {'b' * 9}"


@pytest.mark.parametrize(
    ("text", "width", "pieces"),
    [
        ("", 3, [""]),
        ("abc", 3, ["abc"]),
        ("abcd", 3, ["abc", "d"]),
        ("a\u670d\u52d9", 3, ["a\u670d", "\u52d9"]),
        ("\u670d\u52d9", 3, ["\u670d", "\u52d9"]),
    ],
)
def test_text_is_cut_by_cells(text: str, width: int, pieces: list[str]) -> None:
    """Into as few pieces as fit, none of a character's two cells alone."""
    assert cut(text, width) == pieces


def test_each_style_colours_its_text_alone() -> None:
    """The spaces around it are nobody's."""
    view = View([column("a", "x", style="bold red"), column("b", "y", style="green")])
    assert render(view, width=80, colour=True).splitlines() == [
        "\x1b[1ma\x1b[0m  \x1b[1mb\x1b[0m",
        "\x1b[1;31mx\x1b[0m  \x1b[32my\x1b[0m",
    ]


def test_long_lines_below_the_table_are_folded_at_words() -> None:
    """What goes on below is indented."""
    lines = render(View([], ["word " * 20]), width=60, colour=False).splitlines()
    assert all(len(line) <= 60 for line in lines)
    assert [line.startswith("    word") for line in lines] == [False, True]


@given(st.lists(st.lists(st.text(max_size=30), min_size=3, max_size=3), max_size=4), st.integers(1, 200))
def test_any_text_can_be_shown(rows: list[list[str]], width: int) -> None:
    """No text breaks a table, and no control character gets through."""
    columns = [Column("abc"[i], [Cell(row[i]) for row in rows], drop=i, fold=i == 0) for i in range(3)]
    text = render(View(columns, ["end"]), width=width, colour=False)
    assert text.replace("\n", "").isprintable()
