"""A line that a shell would run → folder, variables and command, and a shell only if it needs one. Pure."""

from __future__ import annotations

import posixpath
import re
import shlex
from typing import NamedTuple

from supervisor.importing.texts import PORT_VARIABLE

_CD = re.compile(r"cd\s+(?P<folder>(?!-)[\w./@+-]+)\s*&&\s*(?P<rest>\S.*)", re.DOTALL)
_ASSIGNMENT = re.compile(
    r"""(?P<name>[A-Za-z_][A-Za-z0-9_]*)=(?P<value>"[^"$`\\]*"|'[^']*'|[^\s"'$`\\;&|<>()*?~#]*)\s+(?P<rest>\S.*)""",
    re.DOTALL,
)
_PREFIX = re.compile(r"(?:exec|env)\s+(?![-\s])(?P<rest>\S.*)", re.DOTALL)

_QUOTED = re.compile(r"""\\(?P<escaped>.)|'[^']*'|"(?P<inside>(?:\\.|[^"\\])*)\"""", re.DOTALL)
_STILL_EXPANDED = re.compile(r"[$`]|\\\n")
"""In double quotes. Escaped there, a dollar is one for a shell, and for shlex a dollar behind a backslash."""

_FOR_A_SHELL = re.compile(r"[|&;<>()$`*?\[\n]|(?<!\S)[~#!{}]|=~")
_BACKGROUND = re.compile(r"(?<![&>])&(?![&>])")

_BUILTINS = frozenset(
    {
        "source",
        ".",
        "export",
        "cd",
        "ulimit",
        "umask",
        "set",
        "unset",
        "eval",
        "trap",
        "wait",
        "alias",
        "exec",
    }
    | {
        "if",
        "while",
        "until",
        "for",
        "case",
        "shift",
        "exit",
        "read",
        "command",
        "type",
        "local",
        "return",
        ":",
    }
)


class ShellLine(NamedTuple):
    command: str
    shell: bool
    cwd: str
    env: dict[str, str]


def read_line(line: str) -> ShellLine:
    """What `sh -c` would do with it."""
    folder, rest = _without_cd(line.strip())
    env, command = _without_assignments(rest)
    if needs_shell(command):
        env, command = {}, rest
    return ShellLine(command, needs_shell(command), folder, env)


def _without_cd(line: str) -> tuple[str, str]:
    """`cd a && b` is b in the folder a, unless a part of the line would run elsewhere."""
    folder = "."
    while (match := _CD.fullmatch(line)) and not _BACKGROUND.search(_exposed(match["rest"])):
        folder = posixpath.normpath(posixpath.join(folder, match["folder"]))
        line = match["rest"]
    return folder, line


def _without_assignments(line: str) -> tuple[dict[str, str], str]:
    """`A=1 b` is b with the variable A; `exec b` and `env b` are b."""
    env: dict[str, str] = {}
    while True:
        if match := _PREFIX.fullmatch(line):
            line = match["rest"]
        elif match := _ASSIGNMENT.fullmatch(line):
            env[match["name"]] = "".join(shlex.split(match["value"]))
            line = match["rest"]
        else:
            return env, line


def needs_shell(line: str) -> bool:
    """Whether splitting it into words would give another command than a shell makes of it.

    `$PORT` needs none: it is filled in before.
    """
    line = PORT_VARIABLE.sub("0", line)
    try:
        words = shlex.split(line)
    except ValueError:
        return True
    if not words or words[0] in _BUILTINS or "=" in words[0]:
        return True
    return _FOR_A_SHELL.search(_exposed(line)) is not None


def _exposed(line: str) -> str:
    """What a shell looks at: not what is quoted, save for dollars in double quotes."""
    return _QUOTED.sub(_unquoted, line)


def _unquoted(match: re.Match[str]) -> str:
    if match["escaped"]:
        return "\n" if match["escaped"] == "\n" else "\\"
    return "$" if _STILL_EXPANDED.search(match["inside"] or "") else "'"
