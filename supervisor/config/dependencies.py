"""Who waits for whom: unknown names, cycles, and the order that follows. Pure but for the reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from supervisor.config.problems import suggestion
from supervisor.config.services import Draft

Graph = Mapping[str, Sequence[str]]
"""Name → what it depends on. Keys in the file's order; nothing but keys among the values."""


def check(drafts: Sequence[Draft]) -> None:
    names = [draft.name for draft in drafts]
    for draft in drafts:
        _check_names(draft, names)
    graph = {draft.name: _known(draft, names) for draft in drafts}
    by_name = {draft.name: draft for draft in drafts}
    for cycle in cycles(graph):
        by_name[cycle[0]].field.at("depends_on").wrong(f"is a cycle: {' -> '.join(cycle)}")


def _check_names(draft: Draft, names: Sequence[str]) -> None:
    field = draft.field.at("depends_on")
    for name in dict.fromkeys(draft.service.depends_on):
        if name == draft.name:
            field.wrong("a service can't depend on itself")
        elif name not in names:
            field.wrong(f'there is no service "{name}"', suggestion(name, names))


def _known(draft: Draft, names: Sequence[str]) -> list[str]:
    return [name for name in draft.service.depends_on if name in names and name != draft.name]


def cycles(graph: Graph) -> list[list[str]]:
    """Cycles, each with its first name again at its end, until none is left when each loses its last edge."""
    from graphlib import CycleError, TopologicalSorter

    remaining = {name: list(dict.fromkeys(needs)) for name, needs in graph.items()}
    found: list[list[str]] = []
    while True:
        try:
            TopologicalSorter(remaining).prepare()
        except CycleError as error:
            cycle = _from_first(error.args[1][::-1], list(graph))
            remaining[cycle[-2]].remove(cycle[-1])
            found.append(cycle)
        else:
            return found


def _from_first(cycle: list[str], names: list[str]) -> list[str]:
    """The same cycle, begun at the name that comes first in the file."""
    ring = cycle[:-1]
    start = ring.index(min(ring, key=names.index))
    return [*ring[start:], *ring[:start], ring[start]]
