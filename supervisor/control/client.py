"""Asking a running instance. Synchronous: a command needs no event loop. Imports leaves only."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from supervisor.records import InstanceRecord
from supervisor.snapshot import InstanceSnapshot


class Client:
    """A connection to one instance's control socket."""

    def __init__(self, record: InstanceRecord, *, timeout: float = 5.0) -> None:
        """Raises NotRunning if nobody answers there."""
        raise NotImplementedError

    def call(self, method: str, *, timeout: float | None = None, **params: Any) -> Any:
        """Raises the PortsupError that the supervisor answered, or NotRunning if it went away.

        `timeout` in seconds, for this call.
        """
        raise NotImplementedError

    def __enter__(self) -> Client:
        raise NotImplementedError

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        raise NotImplementedError


def snapshot(record: InstanceRecord, *, timeout: float = 2.0) -> InstanceSnapshot:
    """The instance as it is now; with state "dead" and no services if its supervisor doesn't answer."""
    raise NotImplementedError
