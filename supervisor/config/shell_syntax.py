"""Commands that are written for a shell. Pure."""

from __future__ import annotations

import re
from pathlib import PurePath

_SHELLS = frozenset({"sh", "bash", "dash", "fish", "ksh", "zsh"})

_QUOTED = re.compile(r"""\\.|'[^']*'|"(?:\\.|[^"\\])*\"""", re.DOTALL)
_VARIABLE = re.compile(r"\$\$|(\$[A-Za-z_][A-Za-z0-9_]*)")
_OPERATOR = re.compile(r"&&|\|\||[|&<]|\d?>.*|.*;")


def variables(line: str) -> list[str]:
    """`$PORT` and the like, each once, where a shell would look: not in single quotes."""
    exposed = _QUOTED.sub(lambda match: match[0] if match[0][0] == '"' else "'", line)
    return list(dict.fromkeys(filter(None, _VARIABLE.findall(exposed))))


def operators(line: str) -> list[str]:
    """`&&`, `|`, `>file` and the like, each once, where they aren't quoted."""
    words = _QUOTED.sub("'", line).split()
    return list(dict.fromkeys(word for word in words if _OPERATOR.fullmatch(word)))


def is_shell(program: str) -> bool:
    """Does it read such things itself?"""
    return PurePath(program).name in _SHELLS
