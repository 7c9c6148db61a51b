"""The ports that one unit holds, with their locks and shields."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from supervisor.clock import Clock
from supervisor.errors import PortsupError
from supervisor.plan.plan import UnitPlan
from supervisor.plan.pool import PoolPlan
from supervisor.platform import Listener, Owner, os_facts
from supervisor.ports.lock import LockFolder
from supervisor.ports.owner import users_of
from supervisor.ports.probe import is_free
from supervisor.ports.reserve import InstanceClaim, Reservation, reserve_again
from supervisor.ports.shield import Finding, Shield


class Holdings:
    def __init__(
        self,
        unit: UnitPlan,
        claim: InstanceClaim,
        folder: LockFolder,
        clock: Clock,
        reservations: list[Reservation],
        tree: Callable[[], Collection[int]],
    ) -> None:
        """`tree` gives the pids that may listen on the ports."""
        self._unit = unit
        self._claim = claim
        self._folder = folder
        self._clock = clock
        self._tree = tree
        self.reservations = reservations
        self._last = self.ports
        self._shields = {held.pool.name: self._shield(held) for held in reservations}
        self.lost = False
        """A shield was lost since the ports were claimed last."""

    @property
    def ports(self) -> dict[str, int]:
        """Pool name to port, the main pool first."""
        return {held.pool.name: held.port for held in self.reservations}

    @property
    def main_port(self) -> int | None:
        return self.ports.get("port")

    @property
    def complete(self) -> bool:
        """Whether a port of every pool is held, and none is lost."""
        return len(self.reservations) == len(self._unit.pools) and not self.lost

    @property
    def shield_state(self) -> str:
        if self.lost:
            return "lost"
        return next((shield.state for shield in self._shields.values()), "none")

    def _shield(self, held: Reservation) -> Shield:
        return Shield(held, self._unit.service.shield, self._tree)

    def name_child(self, child: Owner) -> None:
        """Into every record. Raises PortsupError if one can't be written."""
        for held in self.reservations:
            held.name_child(child)

    def occupied(self) -> str | None:
        """Why a held port can't be bound, in words. Asked when no child of ours runs: the lock doesn't
        bind those who don't ask for it, and an ended server may have left connections behind."""
        for held in self.reservations:
            if not is_free(held.port):
                return _occupant(held.port)
        return None

    def bindable(self) -> bool:
        """The same without the words, which cost a look at every process. True where it can't be told."""
        try:
            return all(is_free(held.port) for held in self.reservations)
        except PortsupError:
            return True

    def look(self, listeners: Sequence[Listener]) -> list[Finding]:
        """One look of every shield."""
        findings = [found for shield in self._shields.values() if (found := shield.look(listeners))]
        self.lost = self.lost or any(found.lost for found in findings)
        return findings

    def give_back(self) -> None:
        self._last = self.ports or self._last
        for held in reversed(self.reservations):
            held.lock.give_back()
        self.reservations = []
        self._shields = {}

    def claim(self) -> bool:
        """Claim a port of every pool anew, the last ones first. True if one differs from the last.

        May take a quarter of a second for each pool; raises PortsupError, and then holds nothing.
        """
        self.give_back()
        try:
            claimed = [self._reserve(pool, prefer=self._last.get(pool.name)) for pool in self._unit.pools]
        except PortsupError:
            self.give_back()
            raise
        changed = any(self._last.get(held.pool.name) != held.port for held in claimed)
        self._last = self.ports
        self.lost = False
        return changed

    def rotate(self) -> None:
        """Give back the ports whose shields are lost and claim others of their pools.

        Raises PortsupError, and then holds nothing.
        """
        lost = [held for held in self.reservations if self._shields[held.pool.name].state == "lost"]
        try:
            for held in lost:
                held.lock.give_back()
                self.reservations.remove(held)
                self._reserve(held.pool, avoid=held.port)
        except PortsupError:
            self.give_back()
            raise
        self._last = self.ports
        self.lost = False

    def _reserve(self, pool: PoolPlan, prefer: int | None = None, avoid: int | None = None) -> Reservation:
        held = reserve_again(
            self._unit.name, pool, self._claim.record, self._folder, self._clock, prefer=prefer, avoid=avoid
        )
        self.reservations.append(held)
        self._shields[pool.name] = self._shield(held)
        return held


def _occupant(port: int) -> str:
    if users := users_of(os_facts.listeners((port,))):
        return f"port {port} is in use by {', '.join(map(str, users))}"
    # Even SO_REUSEADDR looks past TIME_WAIT only where the server that left it had set it too.
    return (
        f"port {port} can't be bound for up to a minute: connections of a server without SO_REUSEADDR "
        "are in TIME_WAIT"
    )


def port_fields(ports: Mapping[str, int]) -> dict[str, object]:
    """For the event log: the main port, and all of them where there are more."""
    fields: dict[str, object] = {"port": ports.get("port")}
    return fields if len(ports) < 2 else {**fields, "ports": dict(ports)}
