"""Traces of the instances of this machine, from their event logs to an OTLP collector, beside a server.

Who runs as a service of an instance tells of that one alone, so that three servers don't tell everything
three times. Who begins to watch tells what ends from then on, and the instance's start, so that the trace
has its root; the ids are the same whoever tells it, and whenever.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from supervisor.extras import missing_extra
from supervisor.monitor import instances
from supervisor.monitor.events import EventFollower
from supervisor.monitor.instances import Filter
from supervisor.records import InstanceRecord
from supervisor.telemetry.spans import Span, Trace, nanoseconds

if TYPE_CHECKING:
    from supervisor.telemetry.otlp import Sender

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")

LOOK_EVERY = 1.0
"""Seconds between two looks at the logs."""

FLUSH_SECONDS = 2.0
"""For what is left at the end; a collector that is slower than that doesn't get it."""

Key = tuple[int, str]
"""User and instance_id: another user's record may name any instance."""


def is_wanted(environ: Mapping[str, str]) -> bool:
    """Whether the environment names a collector, and doesn't switch OpenTelemetry off."""
    off = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return not off and any(environ.get(name) for name in ENDPOINTS)


@contextmanager
def exporting(
    folder: Path, tell: Callable[[str], None], environ: Mapping[str, str] = os.environ
) -> Iterator[None]:
    """Send traces as long as this is open, if they are wanted. `folder` is the lock folder.

    Neither a missing extra nor a collector that is down or slow hinders who is inside: `tell` gets a line.
    """
    if not is_wanted(environ):
        yield
        return
    wanted = Filter(instance_id=environ.get("PORTSUP_INSTANCE_ID") or None)
    over = threading.Event()
    # A daemon, as the SDK's own thread is: one that waits for a collector keeps nobody from ending.
    thread = threading.Thread(target=_export, args=(folder, wanted, tell, over), name="traces", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(FLUSH_SECONDS)


def _export(folder: Path, wanted: Filter, tell: Callable[[str], None], over: threading.Event) -> None:
    began = nanoseconds(time.time())
    try:
        from supervisor.telemetry.otlp import Sender  # takes a while: the server listens already

        sender = Sender(tell)
    except ModuleNotFoundError as missing:
        problem = missing_extra("export traces", "otel", missing)
        tell(f"warning: {problem.message}; {problem.hint}")
        return
    except (ImportError, ValueError, OSError) as error:
        tell(f"warning: cannot export traces: {error}")
        return
    watch = _Watch(folder, wanted, began, sender)
    while not over.is_set():
        _look(watch)
        over.wait(LOOK_EVERY)
    _look(watch)
    sender.close()


def _look(watch: _Watch) -> None:
    try:
        watch.look()
    except OSError:
        pass  # no descriptor is left: what is missed now is in the logs, and told by a later look


class _Watch:
    """All instances that are told of."""

    def __init__(self, folder: Path, wanted: Filter, began: int, sender: Sender) -> None:
        """`began`: nanoseconds since 1970, from which on all that ends is sent."""
        self._folder = folder
        self._wanted = wanted
        self._began = began
        self._sender = sender
        self._followed: dict[Key, _Followed] = {}

    def look(self) -> None:
        """At what is new. The records come first: what is gone by then has written its last event."""
        try:
            there = {_key(record): record for record in instances.visible(self._folder, self._wanted)}
        except OSError:  # no descriptor is to be had; the logs keep everything for the next look
            return
        for key in there.keys() - self._followed.keys():
            self._followed[key] = _Followed(there[key])
        for key, followed in list(self._followed.items()):
            self._send(followed, followed.more())
            if key not in there:
                self._send(followed, followed.finish())
                del self._followed[key]

    def _send(self, followed: _Followed, spans: Iterator[Span]) -> None:
        for span in spans:
            if span.of_start or span.end >= self._began:
                self._sender.send(followed.trace.id, span, followed.common)


class _Followed:
    """One instance."""

    def __init__(self, record: InstanceRecord) -> None:
        self.trace = Trace(_identity(record))
        self.common: Mapping[str, str | int] = {
            "portsup.stack": record.stack,
            "portsup.instance": record.instance,
            "portsup.instance.id": record.instance_id,
            "portsup.worktree": record.worktree,
        }
        self._events = EventFollower(record)

    def more(self) -> Iterator[Span]:
        while events := self._events.more():
            for event in events:
                yield from self.trace.add(event)

    def finish(self) -> Iterator[Span]:
        self._events.close()
        yield from self.trace.finish()


def _key(record: InstanceRecord) -> Key:
    return record.uid, record.instance_id


def _identity(record: InstanceRecord) -> str:
    """An instance_id alone may come again: on another machine, or after years."""
    owner = record.supervisor
    return f"{record.instance_id} {record.boot_id} {owner.pid} {owner.started}"
