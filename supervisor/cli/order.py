"""What `portsup up` was asked for. Apart, since the guard knows it and must stay small."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

Wish = int | Literal["auto"] | None
"""`-i N`, `-i auto`, or no `-i`."""


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
