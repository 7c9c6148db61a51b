"""The watch over one reservation: is the lock still ours, and is everyone who listens there ours."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from supervisor.config.model import ShieldMode
from supervisor.platform import os_facts
from supervisor.platform.contract import Listener
from supervisor.ports.owner import users_of
from supervisor.ports.reserve import Reservation

ByPort = Mapping[int, Sequence[Listener]]
"""The kernel's table of listeners, sorted once for all shields."""


def by_port(listeners: Iterable[Listener]) -> ByPort:
    found: dict[int, list[Listener]] = {}
    for listener in listeners:
        found.setdefault(listener.port, []).append(listener)
    return found


class Finding(NamedTuple):
    """What a look found. `lost` after two looks that agree; else a warning, said once."""

    lost: bool
    message: str


class _Suspicion(NamedTuple):
    """What one look holds against the shield; equal in two looks if it is the same thing."""

    inode: int | None
    """Of the socket that isn't ours; None if it is the lock."""
    problem: str
    lost: bool = True


class Shield:
    def __init__(
        self, reservation: Reservation, mode: ShieldMode, tree: Callable[[], Collection[int]]
    ) -> None:
        """`tree` gives the pids that may listen; it is asked only when an unknown socket appears."""
        self._reservation = reservation
        self._mode = mode
        self._tree = tree
        self._state = "off" if mode is ShieldMode.OFF else "up"
        self._ours: set[int] = set()
        self._warned: set[int] = set()
        self._suspicion: _Suspicion | None = None
        self._cleared: Sequence[Listener] | None = None
        """Those of the last look, if nothing was found against them."""

    @property
    def state(self) -> str:
        """ "up", "lost" or "off"."""
        return self._state

    def look(self, listeners: ByPort) -> Finding | None:
        """One look. Listeners that are the very same object as in the last one aren't looked at anew."""
        if self._state != "up":
            return None
        suspicion = self._suspect(listeners)
        confirmed = suspicion is not None and suspicion == self._suspicion
        self._suspicion = suspicion
        return self._conclude(suspicion) if suspicion and confirmed else None

    def _conclude(self, suspicion: _Suspicion) -> Finding:
        if suspicion.lost:
            self._state = "lost"
        elif suspicion.inode is not None:
            self._warned.add(suspicion.inode)
        what = "is lost" if suspicion.lost else "can't be sure"
        where = f"{self._reservation.service}'s port {self._reservation.port}"
        return Finding(suspicion.lost, f"the shield of {where} {what}: {suspicion.problem}")

    def _suspect(self, listeners: ByPort) -> _Suspicion | None:
        if problem := self._reservation.lock.intact():
            return _Suspicion(None, f"{problem} ({self._reservation.lock.path})")
        if self._mode is not ShieldMode.TREE:
            return None
        here = listeners.get(self._reservation.port, ())
        if here is self._cleared:
            return None
        suspicion = self._stranger(here)
        self._cleared = None if suspicion else here
        return suspicion

    def _stranger(self, here: Sequence[Listener]) -> _Suspicion | None:
        inodes = {listener.inode for listener in here}
        self._ours &= inodes
        self._warned &= inodes
        if inodes <= self._ours | self._warned:
            return None
        # A socket that we bind ourselves and hand down is ours before the child has it.
        binder = () if self._reservation.listening is None else (os.getpid(),)
        self._ours |= inodes & _sockets((*self._tree(), *binder))
        return self._who([listener for listener in here if listener.inode not in self._ours])

    def _who(self, strangers: Sequence[Listener]) -> _Suspicion | None:
        """The first that is known to be a stranger, else one whose owner can't be read."""
        unread = None
        for listener in strangers:
            (user,) = users_of([listener])
            if user.owner is not None:
                return _Suspicion(listener.inode, f"{user} listens there and isn't of its tree")
            if listener.inode not in self._warned:
                problem = f"{user} listens there, and which process that is can't be read"
                unread = unread or _Suspicion(listener.inode, problem, lost=False)
        return unread


def elsewhere(
    tree: Iterable[int], listeners: Sequence[Listener], own_ports: Collection[int]
) -> tuple[int, ...]:
    """The ports on which a tree (pids) listens though they aren't its own, in order."""
    others = [listener for listener in listeners if listener.port not in own_ports]
    if not others:
        return ()
    sockets = _sockets(tree)
    return tuple(sorted({listener.port for listener in others if listener.inode in sockets}))


def _sockets(pids: Iterable[int]) -> set[int]:
    found: set[int] = set()
    for pid in pids:
        found |= os_facts.open_sockets(pid)
    return found
