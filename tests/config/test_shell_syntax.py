"""Commands that are written for a shell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.config.shell_syntax import is_shell, operators, variables


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("serve $PORT --host=$HOST", ["$PORT", "$HOST"]),
        ('serve "$PORT" $PORT', ["$PORT"]),
        ("awk '{print $NF}' \\$PORT", []),
        ('a "it\'s $X" \'and "$Y"\'', ["$X"]),
        ("${port} $$PORT $1 5$ $", []),
        ("$$$PORT", ["$PORT"]),
    ],
)
def test_variables(line: str, found: list[str]) -> None:
    """Where a shell would look for them, and without the `$$` that stands for a dollar."""
    assert variables(line) == found


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("a && b || c | d & e", ["&&", "||", "|", "&"]),
        ("cd web; a ; b", ["web;", ";"]),
        ("a > f >> g < h 2>&1 2>/dev/null >log", [">", ">>", "<", "2>&1", "2>/dev/null", ">log"]),
        ("find . -exec x {} \\; '|' \"&&\" -D'a;' -e 's/a/b/;'", []),
        ("a http://x/?a=1&b=2 -> x|y <id>", []),
    ],
)
def test_operators(line: str, found: list[str]) -> None:
    """Words that are nothing else, unquoted."""
    assert operators(line) == found


@pytest.mark.parametrize(
    ("program", "shell"), [("sh", True), ("/bin/bash", True), ("ssh", False), ("./sh.py", False)]
)
def test_shells(program: str, shell: bool) -> None:
    """By name, wherever they lie."""
    assert is_shell(program) is shell


@given(st.text(st.sampled_from("ab$P&|;>\"'\\ {}\n"), max_size=40))
def test_any_line_is_survived(line: str) -> None:
    """What is found stands in the line."""
    assert all(word in line for word in variables(line))
    assert len(operators(line)) <= len(line)
