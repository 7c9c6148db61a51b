"""Addresses of a stack's other services, in commands and variables → `${name.port}`. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

from supervisor.config.interpolate import names_of_pool
from supervisor.importing.draft import Port, ServiceDraft
from supervisor.importing.texts import Part, Ref, Text

_LOCAL = re.compile(r"(?<![\w.-])(?P<host>localhost|127\.0\.0\.1|0\.0\.0\.0):(?P<port>\d{2,5})(?!\d)")


class Neighbour(NamedTuple):
    name: str
    ports: set[int]
    """By which the others may know it on this machine."""
    service: ServiceDraft


def meet_neighbours(neighbours: Iterable[Neighbour]) -> None:
    """`localhost:3000` in one service, where 3000 is another's, names whatever port that gets."""
    all_of_them = list(neighbours)
    for one in all_of_them:
        rewrite(one.service, partial(_local, me=one.name, neighbours=all_of_them))


def rewrite(service: ServiceDraft, change: Callable[[Text], Text]) -> None:
    """`change`, from text to text, for its command and its variables."""
    service.command = change(service.command)
    service.env = {name: change(value) for name, value in service.env.items()}


def _local(text: Text, me: str, neighbours: Sequence[Neighbour]) -> Text:
    def made(match: re.Match[str]) -> list[Part]:
        for other in neighbours:
            if other.name != me and int(match["port"]) in other.ports:
                pool = _pool(other.service.ports, int(match["port"]))
                return [f"{match['host']}:", Ref(names_of_pool(other.name, pool)[0])]
        return [match[0]]

    return text.replace(_LOCAL, made)


def _pool(ports: Sequence[Port], number: int) -> str:
    return next(port.pool for port in ports if port.usual == number)
