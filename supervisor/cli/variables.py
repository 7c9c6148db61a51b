"""Variables as text that other programs read. Pure."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_DOTENV_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n", "\r": r"\r"})


def shell(variables: Mapping[str, str]) -> str:
    """For a POSIX shell: `eval "$(portsup env --format shell)"`.

    A name that no shell takes is left out: it would break off the eval, or be run by it.
    """
    return "".join(
        f"export {name}={shlex.quote(value)}\n" for name, value in variables.items() if _NAME.fullmatch(name)
    )


def dotenv(variables: Mapping[str, str]) -> str:
    """For an env file. python-dotenv, whose dialect this is, reads back the same values."""
    return "".join(f'{name}="{_dotenv_value(value)}"\n' for name, value in variables.items())


def _dotenv_value(value: str) -> str:
    """python-dotenv fills in `${…}` in every kind of quotes and knows no escape for it; but a variable
    without a name has no value, so its default stands, and that is the dollar."""
    return value.translate(_DOTENV_ESCAPES).replace("${", "${:-$}{")


def as_json(variables: Mapping[str, str]) -> str:
    """One object, name to value."""
    return json.dumps(dict(variables), indent=2) + "\n"


FORMATS = {"dotenv": dotenv, "json": as_json, "shell": shell}
