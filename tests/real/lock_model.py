"""What a test knows of locks and trees by its own doing: who lives, and by what it can be told.

Nothing here asks the code under test. What is promised of whom:

- The promise lies in the file at the lock's path. While that is the file that was locked, whoever holds
  its descriptor is told. While a record stands in it, or in a copy of it at that path, so are the
  instance's supervisor, whoever carries its marker, and whoever is in the session of the child that the
  record names.
- Who deletes the file, or puts another in its place, takes the lock away: the port is free to be claimed.
  The supervisor notices (a lost shield) and stops the child. Nothing of that instance is told any more, save
  by listening on the port.
- Who overwrites the record in place takes marker and session away. The descriptor still tells.
- A process that closed its descriptors, dropped its environment and began a session of its own can't be
  told unless it listens.
- A session whose first process is gone keeps the port from being claimed, but proves nothing: prune shows
  who is in it, and leaves them and the file alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lock_stage import Actor

from supervisor.platform.contract import Owner


@dataclass(eq=False, repr=False)
class File:
    """What lies at a lock file's path."""

    path: Path
    port: int | None
    """None for an instance number."""
    holder: Life | None
    """Whose claim it was; None for what never was a claim."""
    linked: bool
    """The path leads to the file that the holder locked."""
    told: bool
    """The holder's record stands in it."""
    leader: Proc | None = None
    """The child that the record names."""

    def __repr__(self) -> str:
        return self.path.name


@dataclass(eq=False, repr=False)
class Proc:
    """One process of a unit's tree."""

    name: str
    actor: Actor
    life: Life
    service: str
    given: tuple[File, ...]
    """The locks of its port and of its instance."""
    holds: bool
    """It has their descriptors."""
    marked: bool
    session: Proc | None
    """Whose session it is in: None for itself or somebody who is no unit's child."""
    listening: set[int] = field(default_factory=set)
    alive: bool = True

    def __repr__(self) -> str:
        return f"{self.name} of {self.life.name} (pid {self.owner.pid})"

    @property
    def owner(self) -> Owner:
        return self.actor.owner


@dataclass(eq=False, repr=False)
class Life:
    """One instance, from its claims until nothing is left of it."""

    name: str
    number: File
    actor: Actor
    guard: Owner
    supervised: bool = True
    claims: dict[str, File] = field(default_factory=dict)
    """By service."""
    services: tuple[str, ...] = ()
    procs: list[Proc] = field(default_factory=list)

    @property
    def living(self) -> list[Proc]:
        return [proc for proc in self.procs if proc.alive]

    @property
    def files(self) -> list[File]:
        """What its supervisor holds."""
        return [self.number, *self.claims.values()] if self.supervised else []


def leaders(file: File, there: Iterable[File]) -> list[Proc]:
    """The children that a file's record names; for an instance's number, those of all its ports."""
    if file.port is not None:
        return [file.leader] if file.leader else []
    ours = [other for other in there if other.holder is file.holder and other.told]
    return [other.leader for other in ours if other.leader]


def told_by(proc: Proc, file: File, there: Iterable[File]) -> str | None:
    """By what a process counts as living on `file`'s lock; `there` is what lies in the folder."""
    if not proc.alive or proc.life is not file.holder or file not in proc.given:
        return None
    if file.linked and proc.holds:
        return "descriptor"
    if file.told and proc.marked:
        return "marker"
    if file.told and proc.session is not None and proc.session in leaders(file, there):
        return "session"
    return None


def why_held(file: File | None, there: Iterable[File]) -> str | None:
    """Why no claim may succeed on its path, listeners apart; None if one may."""
    if file is None or file.holder is None:
        return None
    if file in file.holder.files and (file.linked or file.told):
        return "supervisor"
    told = (told_by(proc, file, there) for proc in file.holder.living)
    return next((why for why in told if why), None)


def surely_free(file: File | None) -> bool:
    """Whether nothing at all is left that could stand in the way of a claim, listeners apart."""
    return file is None or file.holder is None or not (file.holder.supervised or file.holder.living)
