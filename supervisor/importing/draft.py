"""What an importer makes of a file: services as services.toml will have them, and what it left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from supervisor.config.model import MAIN_POOL
from supervisor.importing.texts import Text


class Lost(NamedTuple):
    """Something that was not carried over. Names keys, and never a value: that may be secret."""

    what: str
    service: str = ""
    line: int = 0
    """In the source; 0: nowhere in particular."""

    def __str__(self) -> str:
        return f"{self.service}: {self.what}" if self.service else self.what


class Port(NamedTuple):
    """A port on which a service listens."""

    usual: int | None = None
    """The number by which people know it."""
    pool: str = MAIN_POOL
    env: str | None = None
    """A named pool's variable, where it is another than the one that its name gives."""


@dataclass
class ServiceDraft:
    name: str
    """One that services.toml allows."""
    command: Text
    shell: bool = False
    cwd: str = "."
    env: dict[str, Text] = field(default_factory=dict)
    ports: list[Port] = field(default_factory=list)
    depends_on: list[str] = field(default_factory=list)
    ready: dict[str, object] = field(default_factory=dict)
    restart: str | None = None
    limit: int | None = None
    """Restarts in a row."""
    stop: Mapping[str, str] = field(default_factory=dict)
    shield: str | None = None
    remarks: list[str] = field(default_factory=list)
    """Comments above it."""
    disabled: str | None = None
    """Why it is written as a comment."""


@dataclass
class Draft:
    source: str
    """The name of the file that it was made from."""
    services: list[ServiceDraft] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    env_files: list[str] = field(default_factory=list)
    stack: str | None = None

    @property
    def live(self) -> list[ServiceDraft]:
        return [service for service in self.services if service.disabled is None]

    def report(self) -> Iterator[str]:
        """A line for each thing that was not carried over."""
        for service in self.services:
            if service.disabled is not None:
                yield f"{service.name}: written as a comment: {service.disabled}"
        for lost in self.lost:
            yield f"{self.source}:{lost.line}: {lost}" if lost.line else f"{self.source}: {lost}"
