"""How `portsup logs` passes on the lines of several services: in the order in which they were printed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from supervisor.cli.line_forms import Form
from supervisor.cli.output import emit_bytes
from supervisor.tail import Tail
from supervisor.timed_lines import LineTimer, TimedLines, in_order

BATCH = 1 << 16
"""Bytes that are written at a time, where there are so many."""

Tails = Mapping[str, Tail]
"""By service."""


class Output(Protocol):
    def printed(self, tails: Tails, *, follow: bool) -> None:
        """Pass on what is there. An unfinished line is left for later if we are to follow."""

    def more(self, tails: Tails) -> bool:
        """Pass on what was added, at most a block of each. False if that is nothing."""


class InOrder:
    """Whole lines, in the order in which they were printed."""

    def __init__(self, services: Iterable[str], form: Form) -> None:
        self._timers = {service: LineTimer(service) for service in services}
        self._form = form

    def printed(self, tails: Tails, *, follow: bool) -> None:
        self._pass_on(in_order([self._of(name, tail, follow=follow) for name, tail in tails.items()]))

    def _of(self, service: str, tail: Tail, *, follow: bool) -> Iterator[TimedLines]:
        timer = self._timers[service]
        for piece in tail.printed():
            yield from timer(piece)
        if not follow:
            yield from timer.finish()

    def more(self, tails: Tails) -> bool:
        found = {name: piece for name, tail in tails.items() if (piece := tail.more())}
        self._pass_on(in_order([self._timers[name](piece) for name, piece in found.items()]))
        return bool(found)

    def _pass_on(self, lines: Iterable[TimedLines]) -> None:
        batch = bytearray()
        for some in lines:
            batch += self._form(some)
            if len(batch) >= BATCH:
                emit_bytes(bytes(batch))
                batch.clear()
        if batch:
            emit_bytes(bytes(batch))
