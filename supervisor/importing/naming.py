"""Names that services.toml allows for services that are called otherwise. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from supervisor.config import variables
from supervisor.config.names import wrong_name

LONGEST = 60
"""Characters; what is left of the 64 is for a number."""


def legal_names(names: Iterable[str]) -> dict[str, str]:
    """Each name → the same, or the nearest one that is allowed and gives variables of its own."""
    result: dict[str, str] = {}
    taken = set(variables.OWN)
    for name in names:
        result[name] = _free(_legal(name), taken)
        taken |= {variables.port_of(result[name]), variables.url_of(result[name])}
    return result


def _legal(name: str) -> str:
    if wrong_name(name) is None:
        return name
    spelt = re.sub(r"[^A-Za-z0-9_]+", "-", name).strip("-")[:LONGEST].rstrip("-")
    return spelt if spelt[:1].isalpha() else f"service-{spelt}".rstrip("-")


def _free(name: str, taken: set[str]) -> str:
    number, candidate = 1, name
    while taken & {variables.port_of(candidate), variables.url_of(candidate)}:
        number += 1
        candidate = f"{name[:LONGEST]}-{number}"
    return candidate
