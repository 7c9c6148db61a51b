"""The life of one instance as the spans of one trace: pure, from the events of its log.

"portsup up" is the trace's root: from the claim until all services are ready, or until it is known that
they won't be. All others are below it, also those that come long after it ended:

- "start NAME": from the state STARTING to the one that follows. RUNNING is success.
- "stop NAME": from STOPPING until nothing of its tree is left; an error if nobody had asked for that.
- "restart NAME": from the moment at which it went down until it runs again, or has failed once more. Each
  try is one, and what was stopped, waited for and started for it is below it.
- "stop instance": from the first word of it until the last event.

A log may begin in the middle, and lack lines. What began unseen has no span, and what never ended is an
error. Ids are made from what a span is, so that all who read the same log give it the same one.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from supervisor.monitor.events import Event
from supervisor.snapshot import SERVICE_STATES

ROOT = "portsup up"
STOP = "stop instance"

STATES = frozenset(map(str.lower, SERVICE_STATES))
"""Of a unit, as the kinds of its events name them."""

ENDED_WELL = "ended with code 0"
"""The reason of a service that is over and has done its work."""

UNFINISHED = "the instance ended before this did"
END_UNSEEN = "the log doesn't tell how this ended"
NEVER_READY = "it was stopped before all services were ready"

MOMENTS_MAX = 128
"""Of one span: the latest, and as many as the SDK lets through."""

LOOSE_MAX = 8
JUST_BEFORE = 1_000_000_000
"""Nanoseconds. What is told shortly before a span of its service belongs to that: a lost shield is told and
then stopped for."""

TIME_MAX = 2**63 - 1
PID_MAX = 2**31 - 1
PORT_MAX = 65535


class Moment(NamedTuple):
    time: int
    """Nanoseconds since 1970."""
    name: str
    """The event's kind."""
    message: str


class Span(NamedTuple):
    name: str
    id: int
    parent: int | None
    start: int
    """Nanoseconds since 1970."""
    end: int
    attributes: Mapping[str, str | int]
    moments: tuple[Moment, ...]
    error: str | None
    of_start: bool
    """It is the root, or began while that lasted."""


@dataclass(slots=True)
class _Open:
    """A span that has not ended."""

    name: str
    id: int
    parent: int | None
    start: int
    of_start: bool
    attributes: dict[str, str | int] = field(default_factory=dict)
    error: str | None = None
    moments: deque[Moment] = field(default_factory=lambda: deque(maxlen=MOMENTS_MAX))

    def ended(self, at: int, error: str | None) -> Span:
        return Span(
            self.name,
            self.id,
            self.parent,
            self.start,
            max(at, self.start),
            self.attributes,
            tuple(self.moments),
            self.error or error,
            self.of_start,
        )


class Trace:
    """Of one run of an instance."""

    def __init__(self, identity: str) -> None:
        """`identity` tells this run from all others on all machines."""
        self.id = _number(identity, 16)
        self._root_id = self.span_id(ROOT)
        self._root: _Open | None = None
        self._had_root = False
        self._stop: _Open | None = None
        self._services: dict[str, _Service] = {}
        self._last = 0

    def add(self, event: Event) -> list[Span]:
        """Which spans ended by this event."""
        at = self._last = nanoseconds(event.time)
        if event.service is None:
            return list(self._of_instance(event, at))
        name = _clean(event.service)
        service = self._services.setdefault(name, _Service(self, name))
        ended = list(service.add(event, at))
        if service.over_by is not None:
            ended += self._end_root(at, f"{name}: {service.over_by}")
        return ended

    def finish(self) -> list[Span]:
        """The instance is gone: what is open ended with its last event."""
        ended = [span for service in self._services.values() for span in service.finish(self._last)]
        if self._stop is not None:
            ended.append(self._stop.ended(self._last, None))
            self._stop = None
        return [*ended, *self._end_root(self._last, UNFINISHED)]

    def span_id(self, name: str, start: int | None = None) -> int:
        return _number(f"{self.id:x} {name} {start}", 8)

    def open(self, name: str, start: int, parent: int | None = None) -> _Open:
        """Below the root, if no other is named."""
        above = self._root_id if parent is None else parent
        return _Open(name, self.span_id(name, start), above, start, self._root is not None)

    @property
    def stop_id(self) -> int | None:
        """Of what all services are stopped for; None as long as they aren't."""
        return None if self._stop is None else self._stop.id

    def _of_instance(self, event: Event, at: int) -> Iterator[Span]:
        match event.kind:
            case "instance.claimed" if not self._had_root:
                self._had_root = True
                self._root = _Open(ROOT, self._root_id, None, at, True, _process(event))
            case "instance.ready":
                yield from self._end_root(at, None)
            case "instance.failed":
                yield from self._end_root(at, _clean(event.message))
            case "instance.stopping" if self._stop is None:
                yield from self._end_root(at, NEVER_READY)
                self._stop = self.open(STOP, at)
                self._stop.attributes |= _texts(event, why="portsup.why")
            case _:
                self._note(Moment(at, _clean(event.kind), _clean(event.message)))

    def _note(self, moment: Moment) -> None:
        if (span := self._stop or self._root) is not None:
            span.moments.append(moment)

    def _end_root(self, at: int, error: str | None) -> list[Span]:
        root, self._root = self._root, None
        return [] if root is None else [root.ended(at, error)]


class _Service:
    """What is under way with one service."""

    def __init__(self, trace: Trace, name: str) -> None:
        self._trace = trace
        self._name = name
        self._start: _Open | None = None
        self._stop: _Open | None = None
        self._restart: _Open | None = None
        self._loose: deque[Moment] = deque(maxlen=LOOSE_MAX)
        self.over_by: str | None = None
        """Why it is over, while it is, and not well."""

    def add(self, event: Event, at: int) -> Iterator[Span]:
        state = _state_of(event)
        if state is None:
            self._note(event, at)
            return
        self._describe(event)
        failure = _failure(event)
        self.over_by = failure if state in ("exited", "fatal") else None
        match state:
            case "starting":
                yield from self._begin_start(at)
            case "stopping":
                yield from self._begin_stop(at, failure)
            case _:
                yield from self._arrive(state, at, failure)
        self._describe(event)

    def finish(self, at: int) -> Iterator[Span]:
        yield from self._end_start(at, UNFINISHED)
        yield from self._end_stop(at, None, UNFINISHED)
        yield from self._end_restart(at, UNFINISHED)

    def _begin_start(self, at: int) -> Iterator[Span]:
        yield from self._end_unseen(at)
        parent = None if self._restart is None else self._restart.id
        self._start = self._open("start", at, parent)

    def _begin_stop(self, at: int, failure: str | None) -> Iterator[Span]:
        if self._start is not None:
            yield from self._end_start(at, failure)
            yield from self._end_restart(at, failure)
        yield from self._end_unseen(at)
        self._stop = self._open("stop", at)
        self._stop.error = failure

    def _arrive(self, state: str, at: int, failure: str | None) -> Iterator[Span]:
        """It isn't starting or stopping any more."""
        down, tried = self._stop, self._start is not None
        again = state == "backoff" or (state == "pending" and (tried or down is not None))
        yield from self._end_start(at, failure)
        if state != "pending" or again:  # else a wait is over, and the next try begins
            yield from self._end_restart(at, failure)
        if again:
            self._restart = self._open("restart", at if down is None else down.start)
        above = self._restart.id if again and self._restart is not None else self._trace.stop_id
        yield from self._end_stop(at, above, None)

    def _open(self, verb: str, at: int, parent: int | None = None) -> _Open:
        span = self._trace.open(f"{verb} {self._name}", at, parent)
        span.attributes["portsup.service"] = self._name
        span.moments.extend(moment for moment in self._loose if moment.time >= at - JUST_BEFORE)
        self._loose.clear()
        return span

    def _end_unseen(self, at: int) -> Iterator[Span]:
        """What is still open when something else begins: the line that ended it is missing."""
        yield from self._end_start(at, END_UNSEEN)
        yield from self._end_stop(at, None, END_UNSEEN)

    def _end_start(self, at: int, error: str | None) -> list[Span]:
        span, self._start = self._start, None
        return [] if span is None else [span.ended(at, error)]

    def _end_restart(self, at: int, error: str | None) -> list[Span]:
        span, self._restart = self._restart, None
        return [] if span is None else [span.ended(at, error)]

    def _end_stop(self, at: int, parent: int | None, error: str | None) -> list[Span]:
        span, self._stop = self._stop, None
        if span is None:
            return []
        span.parent = parent or span.parent
        return [span.ended(at, error)]

    def _describe(self, event: Event) -> None:
        """Every span that this event ends or begins says what it says."""
        for span in (self._start, self._stop, self._restart):
            if span is not None:
                span.attributes |= {
                    **_process(event),
                    **_ports(event),
                    **_texts(event, reason="portsup.reason"),
                    "portsup.state": event.kind.removeprefix("unit.").upper(),
                }

    def _note(self, event: Event, at: int) -> None:
        moment = Moment(at, _clean(event.kind), _clean(event.message))
        span = self._start or self._stop or self._restart
        (self._loose if span is None else span.moments).append(moment)
        if span is not None:
            span.attributes |= {**_process(event), **_ports(event)}


def nanoseconds(seconds: float) -> int:
    """To the millisecond, as the log has it; a time that can't be is the nearest one that can."""
    if not seconds > 0:
        return 0
    return TIME_MAX if seconds >= TIME_MAX / 1e9 else round(seconds * 1000) * 1_000_000


def _state_of(event: Event) -> str | None:
    """The state that its unit has from then on. That a child exited is told by an event of the same name."""
    room, _, state = event.kind.partition(".")
    told = room == "unit" and state in STATES and (state != "exited" or "reason" in event.fields)
    return state if told else None


def _failure(event: Event) -> str | None:
    reason = event.fields.get("reason")
    return _clean(reason) if isinstance(reason, str) and reason != ENDED_WELL else None


def _process(event: Event) -> dict[str, str | int]:
    return _numbers({"process.pid": event.fields.get("pid")}, PID_MAX)


def _ports(event: Event) -> dict[str, str | int]:
    """The main port, and those of the other pools by name."""
    pools = event.fields.get("ports")
    named = pools.items() if isinstance(pools, Mapping) else ()
    others = {f"portsup.port.{_clean(str(pool))}": port for pool, port in named if pool != "port"}
    return _numbers({"server.port": event.fields.get("port"), **others}, PORT_MAX)


def _numbers(values: Mapping[str, Any], largest: int) -> dict[str, str | int]:
    """Those that are what they should be: a log can be anybody's."""
    return {
        name: value
        for name, value in values.items()
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= largest
    }


def _texts(event: Event, **names: str) -> dict[str, str | int]:
    """Fields that are texts, as attributes."""
    values = {name: event.fields.get(key) for key, name in names.items()}
    return {name: _clean(value) for name, value in values.items() if isinstance(value, str)}


def _clean(text: str) -> str:
    """JSON can name code points that no encoding has."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _number(text: str, size: int) -> int:
    """Never 0, which is no id."""
    digest = hashlib.sha256(text.encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:size], "big") or 1
