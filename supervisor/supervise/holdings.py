"""The ports that one unit holds, with their locks and shields."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from supervisor.clock import Clock
from supervisor.errors import PortsupError
from supervisor.plan.plan import UnitPlan
from supervisor.plan.pool import PoolPlan
from supervisor.platform import Owner, os_facts
from supervisor.ports.listening import Listening
from supervisor.ports.lock import LockFolder
from supervisor.ports.owner import users_of
from supervisor.ports.probe import is_free
from supervisor.ports.reserve import InstanceClaim, Reservation, listening_of, reserve_again
from supervisor.ports.shield import ByPort, Finding, Shield

Wants = Sequence[tuple[PoolPlan, int | None, Collection[int]]]
"""Pools to claim a port of, the port to try first, and those not to take."""


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

    @property
    def listening(self) -> Listening | None:
        """The main port's, where we listen for the child."""
        return listening_of(self.reservations)

    @property
    def _to_bind(self) -> list[Reservation]:
        """Those whose ports the child binds itself."""
        return [held for held in self.reservations if held.listening is None]

    def occupied(self) -> str | None:
        """Why a held port can't be bound, in words. Asked when no child of ours runs: the lock doesn't
        bind those who don't ask for it, and an ended server may have left connections behind."""
        for held in self._to_bind:
            if not is_free(held.port):
                return _occupant(held.port)
        return None

    def bindable(self) -> bool:
        """The same without the words, which cost a look at every process. True where it can't be told."""
        try:
            return all(is_free(held.port) for held in self._to_bind)
        except PortsupError:
            return True

    def look(self, listeners: ByPort) -> list[Finding]:
        """One look of every shield."""
        findings = [found for shield in self._shields.values() if (found := shield.look(listeners))]
        self.lost = self.lost or any(found.lost for found in findings)
        return findings

    def give_back(self) -> None:
        self._last = {**self._last, **self.ports}
        for held in reversed(self.reservations):
            held.give_back()
        self.reservations = []
        self._shields = {}

    def adopt_plan(self, unit: UnitPlan) -> None:
        """Other pools, or another watch over the ports. A port is kept where it is in the pool of that name;
        with a child, that must hold for all. Raises PortsupError if a port that is kept can't be listened
        on."""
        watched = self._unit.service.shield
        self._unit = unit
        pools = {pool.name: pool for pool in unit.pools}
        for held in list(self.reservations):
            pool = pools.get(held.pool.name)
            if pool is None or held.port not in pool.ports or not held.serve(pool):
                held.give_back()
                self.reservations.remove(held)
                del self._shields[held.pool.name]
        self._last = {name: port for name, port in self._last.items() if name in pools}
        if unit.service.shield is not watched and not self.lost:
            self._shields = {held.pool.name: self._shield(held) for held in self.reservations}

    def drop_lost(self) -> frozenset[int]:
        """Give back the ports whose shields are lost; which they were."""
        lost = [held for held in self.reservations if self._shields[held.pool.name].state == "lost"]
        for held in lost:
            held.give_back()
            self.reservations.remove(held)
            del self._shields[held.pool.name]
        return frozenset(held.port for held in lost)

    def missing(self, avoid: Collection[int] = ()) -> Wants:
        """The pools of which no port is held, each with the port to try first: the last one, unless it
        is to be avoided."""
        held = self.ports
        pools = [pool for pool in self._unit.pools if pool.name not in held]
        return [(pool, self._last.get(pool.name), avoid) for pool in pools]

    def reserve(self, wants: Wants) -> list[Reservation]:
        """Claim what is `missing`, all or none. Changes nothing here, so that it may run in a thread: for
        each full pool it takes a quarter of a second. Raises PortsupError (NoFreePort)."""
        claimed: list[Reservation] = []
        try:
            for pool, prefer, avoid in wants:
                claimed.append(self._reserve(pool, prefer, avoid))
        except BaseException:
            for held in reversed(claimed):
                held.give_back()
            raise
        return claimed

    def _reserve(self, pool: PoolPlan, prefer: int | None, avoid: Collection[int]) -> Reservation:
        shunned = next((port for port in pool.ports if port in avoid), None)
        return reserve_again(
            self._unit.name,
            pool,
            self._claim.record,
            self._folder,
            self._clock,
            prefer=prefer,
            avoid=shunned,
        )

    def adopt(self, claimed: Sequence[Reservation]) -> frozenset[str]:
        """Hold them from now on; the pools of which one is another port than their last."""
        changed = frozenset(held.pool.name for held in claimed if self._last.get(held.pool.name) != held.port)
        order = [pool.name for pool in self._unit.pools]
        self.reservations = sorted(
            [*self.reservations, *claimed], key=lambda held: order.index(held.pool.name)
        )
        self._shields |= {held.pool.name: self._shield(held) for held in claimed}
        self._last = {**self._last, **self.ports}
        self.lost = False
        return changed


def _occupant(port: int) -> str:
    if users := users_of(os_facts.listeners((port,))):
        return f"port {port} is in use by {', '.join(map(str, users))}"
    # Even SO_REUSEADDR looks past TIME_WAIT only where the server that left it had set it too.
    return (
        f"port {port} can't be bound for up to a minute: connections of a server without SO_REUSEADDR "
        "are in TIME_WAIT"
    )
