"""Variables as other programs read them back."""

from __future__ import annotations

import io
import json
import shlex

import pytest
from dotenv import dotenv_values
from hypothesis import example, given
from hypothesis import strategies as st

from supervisor.cli import variables

NAMES = st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True)
VALUES = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]))
VARIABLES = st.dictionaries(NAMES, VALUES, max_size=4)


@given(VARIABLES)
@example({"A": "${B}", "B": "x"})
@example({"A": "${A:-x}$${HOME}"})
@example({"A": "$" + "{" * 3})
@example({"A": 'a"b\\', "B": "\\"})
@example({"A": "it's # no comment", "B": " x "})
@example({"A": "line\nline\r\n\ttab\x85\u2028end"})
def test_dotenv_reads_back_the_same(given_variables: dict[str, str]) -> None:
    """Quotes, newlines, backslashes, and what would be filled in."""
    text = variables.dotenv(given_variables)
    assert dotenv_values(stream=io.StringIO(text)) == given_variables


@given(VARIABLES)
def test_shell_reads_back_the_same(given_variables: dict[str, str]) -> None:
    """Each line is `export NAME=VALUE` in one word."""
    words = shlex.split(variables.shell(given_variables))
    assert words[::2] == ["export"] * len(given_variables)
    assert dict(word.split("=", 1) for word in words[1::2]) == given_variables


@given(VARIABLES)
def test_json_reads_back_the_same(given_variables: dict[str, str]) -> None:
    """One object."""
    assert json.loads(variables.as_json(given_variables)) == given_variables


@pytest.mark.parametrize(
    ("name", "line"),
    [("dotenv", 'PORT="6000"\n'), ("shell", "export PORT=6000\n"), ("json", '{\n  "PORT": "6000"\n}\n')],
)
def test_each_format_by_its_name(name: str, line: str) -> None:
    """What the option's values print."""
    assert variables.FORMATS[name]({"PORT": "6000"}) == line


def test_shell_leaves_out_what_no_shell_takes() -> None:
    """A name is not quoted: it would end the eval, or be run by it."""
    text = variables.shell({"A": "1", "B;echo": "2", "BASH_FUNC_f%%": "() { :; }", "": "3", "C D": "4"})
    assert text == "export A=1\n"
