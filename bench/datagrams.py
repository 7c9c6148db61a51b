"""What the measured services tell about themselves: who is ready, by whose clock, without polling."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

PATIENCE = 30.0
"""Seconds after which a run is given up."""


@dataclass(frozen=True)
class Event:
    kind: str
    """ready, worker, begin or done."""
    port: int
    pid: int
    at: int
    """CLOCK_MONOTONIC in ns, as the service read it."""


class Events:
    """The UDP socket that services report to; its port is theirs as BENCH_NOTIFY."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.pids: set[int] = set()
        """Of all who reported so far."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def any(self) -> Event:
        """The next event. Raises TimeoutError."""
        self._socket.settimeout(PATIENCE)
        word, port, pid, at = self._socket.recv(128).split()
        self.pids.add(int(pid))
        return Event(word.decode(), int(port), int(pid), int(at))

    def next(self, kind: str) -> Event:
        """The next event of that kind. Raises TimeoutError."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            event = self.any()
            if event.kind == kind:
                return event
        raise TimeoutError(f"no service reported {kind} within {PATIENCE} s")

    def all_ready(self, count: int) -> dict[int, Event]:
        """The first `ready` of `count` services, by port."""
        ready: dict[int, Event] = {}
        while len(ready) < count:
            event = self.next("ready")
            ready.setdefault(event.port, event)
        return ready
