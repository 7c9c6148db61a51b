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


def read_dockerfile(text: str) -> Dockerfile:
    """Of its last stage, which is what is run."""
    found = Dockerfile()
    for line in _CONTINUED.sub(" ", text).splitlines():
        match = _INSTRUCTION.fullmatch(line)
        if match is None:
            continue
        word, rest = match["word"].upper(), match["rest"].strip()
        if word == "FROM":
            found = Dockerfile()
        elif word == "CMD":
            found = found._replace(cmd=_words(rest))
        elif word == "ENTRYPOINT":
            found = found._replace(entrypoint=_words(rest))
        else:
            found = found._replace(workdir=rest.strip("\"'"))
    return found


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
