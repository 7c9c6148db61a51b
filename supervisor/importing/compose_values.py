"""`${VAR:-default}` of a compose file. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from supervisor.importing.texts import Part, Ref, Text

_VARIABLE = re.compile(
    r"\$(?:(?P<dollar>\$)|(?P<bare>[A-Za-z_]\w*)|\{(?P<name>[A-Za-z_]\w*)(?P<how>:?[-?+])?)", re.ASCII
)

NESTED = 20
"""Defaults within defaults that are looked into."""


class Values:
    """Fills in what docker compose would.

    A variable of .env becomes `${env:NAME}`, since portsup reads that file too. One that has a default and
    isn't in .env becomes its default: services.toml has no defaults. Any other becomes `${env:NAME}`, which
    must be set when portsup starts.
    """

    def __init__(self, dotenv: Mapping[str, str], inlined: frozenset[str] = frozenset()) -> None:
        """`inlined`: values of .env that stand for something else outside of docker, as a service's name."""
        self._dotenv = dotenv
        self._inlined = inlined
        self.defaults: set[str] = set()
        """Names of the variables whose default was written in."""
        self.required: set[str] = set()
        """Names of the variables that must be set."""
        self.from_dotenv: set[str] = set()

    def text(self, value: str) -> Text:
        return Text.of(*self._parts(value, NESTED))

    def plain(self, value: str) -> str:
        """The value with all variables filled in; one that isn't known is empty, as compose has it."""
        parts = self.text(value).parts
        return "".join(part if isinstance(part, str) else self._known(part) for part in parts)

    def _known(self, ref: Ref) -> str:
        return self._dotenv.get(ref.name.removeprefix("env:"), "")

    def _parts(self, value: str, depth: int) -> Iterator[Part]:
        at = 0
        while match := _VARIABLE.search(value, at):
            yield value[at : match.start()]
            name = match["bare"] or match["name"]
            end, operand = _operand(value, match) if match["name"] else (match.end(), "")
            if match["dollar"] or end < 0:
                yield "$" if match["dollar"] else value[match.start() : match.end()]
                at = match.end()
                continue
            yield from self._filled(name, match["how"] or "", operand, depth)
            at = end
        yield value[at:]

    def _filled(self, name: str, how: str, operand: str, depth: int) -> Iterator[Part]:
        known = self._dotenv.get(name)
        is_set = bool(known) if how.startswith(":") else known is not None
        if how.endswith("+"):
            yield from self._parts(operand, depth - 1) if is_set and depth else ()
        elif is_set or not how.endswith("-"):
            yield self._reference(name, known)
        else:
            self.defaults.add(name)
            yield from self._parts(operand, depth - 1) if depth else (operand,)

    def _reference(self, name: str, known: str | None) -> Part:
        if known is None:
            self.required.add(name)
        elif known in self._inlined or known.isdecimal():
            return known
        else:
            self.from_dotenv.add(name)
        return Ref(f"env:{name}")


def _operand(value: str, match: re.Match[str]) -> tuple[int, str]:
    """What stands behind `${NAME:-`, and where the whole ends; -1 if it is never closed."""
    depth = 1
    for place in range(match.end(), len(value)):
        if value.startswith("${", place):
            depth += 1
        elif value[place] == "}":
            depth -= 1
            if not depth:
                return place + 1, value[match.end() : place]
    return -1, ""
