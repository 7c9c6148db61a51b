"""What `sh -c` would do with a line, without a shell where that is the same."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.importing.shell_lines import ShellLine, needs_shell, read_line


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("npm start", ShellLine("npm start", False, ".", {})),
        ("cd web && npm start", ShellLine("npm start", False, "web", {})),
        ("cd a && cd ../b && A=1 run", ShellLine("run", False, "b", {"A": "1"})),
        ("cd web && a && b", ShellLine("a && b", True, "web", {})),
        ("cd web && a & b", ShellLine("cd web && a & b", True, ".", {})),
        ("cd $HOME && a", ShellLine("cd $HOME && a", True, ".", {})),
        ("A=1 B='x y' C=\"z\" run", ShellLine("run", False, ".", {"A": "1", "B": "x y", "C": "z"})),
        ("A=1 run && run2", ShellLine("A=1 run && run2", True, ".", {})),
        ("A=$B run", ShellLine("A=$B run", True, ".", {})),
        ("exec run", ShellLine("run", False, ".", {})),
        ("env A=1 run", ShellLine("run", False, ".", {"A": "1"})),
        ("run --port $PORT", ShellLine("run --port $PORT", False, ".", {})),
        ("run 'it''s; fine'", ShellLine("run 'it''s; fine'", False, ".", {})),
    ],
)
def test_lines(line: str, read: ShellLine) -> None:
    """Folder and variables come out; a shell stays where it is needed."""
    assert read_line(line) == read


@pytest.mark.parametrize(
    "line",
    [
        *("a | b", "a; b", "a > b", "a &", "a && b", "a $HOME", 'a "$HOME"', "a `b`", "a $(b)", "(a)"),
        *("a *.py", "a file?", "ls ~", "a # b", "source x", "while true; do a; done", "! a", "a 'open"),
        *("a\nb", "cd x", 'a "`b`"', "A=1", ". ./env.sh"),
        *(r'a "\$b"', r"'x\' ; y 'z\'", "a \\\nb"),
    ],
)
def test_what_only_a_shell_understands(line: str) -> None:
    """Operators, expansions, builtins, and what can't be split at all."""
    assert needs_shell(line)


WORDS = st.text(alphabet="ab 'x\"\\$#*~;|&=[]{}-/\n", min_size=1, max_size=12)


@settings(max_examples=200)
@given(WORDS)
def test_without_a_shell_it_is_the_same(rest: str) -> None:
    """What is split into words here, a real shell splits into the same words."""
    line = f"printf '<%s>' {rest}"
    if needs_shell(line) or not shlex.split(line)[2:]:
        return
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=False)
    assert done.stdout == "".join(f"<{word}>" for word in shlex.split(line)[2:])
