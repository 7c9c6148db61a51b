"""What a Dockerfile runs: its last CMD, ENTRYPOINT and WORKDIR. Pure."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

_CONTINUED = re.compile(r"\\[ \t]*\n(?:[ \t]*#[^\n]*\n)*")
_INSTRUCTION = re.compile(r"\s*(?P<word>FROM|CMD|ENTRYPOINT|WORKDIR)\s+(?P<rest>\S.*)", re.IGNORECASE)

Words = str | list[str] | None
"""A line for a shell, or words as they are."""


class Dockerfile(NamedTuple):
    cmd: Words = None
    entrypoint: Words = None
    workdir: str = ""


def read_dockerfile(text: str, target: str | None = None) -> Dockerfile:
    """Of the stage called `target`, else of the last one. What a stage doesn't say is its base's."""
    found, name = Dockerfile(), ""
    stages: dict[str, Dockerfile] = {}
    for line in _CONTINUED.sub(" ", text).splitlines():
        match = _INSTRUCTION.fullmatch(line)
        if match is None:
            continue
        word, rest = match["word"].upper(), match["rest"].strip()
        if word == "FROM":
            stages[name] = found
            base, name = _stage(rest)
            found = stages.get(base, Dockerfile())
        elif word == "CMD":
            found = found._replace(cmd=_words(rest))
        elif word == "ENTRYPOINT":
            found = found._replace(entrypoint=_words(rest))
        else:
            found = found._replace(workdir=rest.strip("\"'"))
    stages[name] = found
    return stages.get((target or name).lower(), found)


def _stage(rest: str) -> tuple[str, str]:
    """What it is made from and its own name, of `--platform=x python:3.12 AS build`."""
    words = [word.lower() for word in rest.split() if not word.startswith("--")]
    return words[0] if words else "", words[2] if len(words) > 2 and words[1] == "as" else ""


def _words(rest: str) -> Words:
    """The form in brackets is JSON; what isn't JSON is for a shell."""
    try:
        words = json.loads(rest)
    except (ValueError, RecursionError):
        return rest
    if (
        isinstance(words, list)
        and words
        and all(isinstance(word, str) and "\0" not in word for word in words)
    ):
        return words
    return rest
