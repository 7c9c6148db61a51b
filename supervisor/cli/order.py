"""What `portsup up` or `run` was asked for. Apart, since the guard knows it and must stay small."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal, NamedTuple

Wish = int | Literal["auto"] | None
"""`-i N`, `-i auto`, or no `-i`."""


class Errand(NamedTuple):
    """What `portsup run` brings an instance up for."""

    command: tuple[str, ...]
    timeout: float | None
    """Seconds in which all services must be ready; None leaves that to their own."""
    verbose: bool
    """Show the services' lines, and all events."""
    report_fd: int = -1
    """A pipe to whoever runs several (`side_by_side.py`)."""


class Order(NamedTuple):
    config: Path
    instance: Wish
    services: tuple[str, ...]
    """Only these and what they depend on; empty: all."""
    console: bool
    """In the foreground: people see logs and events, and the instance ends with its last service."""
    labelled: bool
    """Several instances share the terminal: names carry the instance's number."""
    colour: tuple[bool, bool]
    """For stdout and stderr."""
    errand: Errand | None = None
    """The instance is there for this alone, and leaves the worktree's own number to `portsup up`."""

    def encode(self) -> bytes:
        """For the process that waits for it."""
        errand = None if self.errand is None else self.errand._asdict()
        return json.dumps({**self._asdict(), "config": str(self.config), "errand": errand}).encode()

    @staticmethod
    def decode(data: bytes) -> Order:
        order = json.loads(data)
        errand = order["errand"]
        if errand is not None:
            errand = Errand(**{**errand, "command": tuple(errand["command"])})
        words = {"services": tuple(order["services"]), "colour": tuple(order["colour"])}
        return Order(**{**order, **words, "config": Path(order["config"]), "errand": errand})
