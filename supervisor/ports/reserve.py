"""Plan → reservations: for the whole instance, all or none.

A pass takes a lock and probes the port, for each pool in turn, without ever waiting for one. A pass
that fails gives everything back before it looks again, so that racing instances neither wait for
each other in a circle nor refuse each other for a claim that comes to nothing. Records are written
only when all locks are held: until then a holder reads as not committed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from supervisor import records
from supervisor.clock import Clock
from supervisor.plan.plan import Plan
from supervisor.plan.pool import PoolPlan
from supervisor.platform.contract import Owner
from supervisor.ports.listening import Listening, listen
from supervisor.ports.liveness import Liveness, liveness
from supervisor.ports.lock import Busy, HeldLock, LockFolder, take
from supervisor.ports.probe import is_free
from supervisor.records import InstanceRecord, PortRecord, instance_file, port_file

LOOKS = 42
"""Looks, about 6 ms apart, before a pool counts as full although its holders seem to be on the move:
250 ms. Counted instead of timed, so that a machine too busy to look often doesn't cut them short."""

ENOUGH_LOOKS, ENOUGH_SECONDS = 8, 1.0
"""Where each look is slow (thousands of processes to search for survivors) these end it, both together."""

PAUSE = (0.003, 0.009)
"""Seconds between two looks, at random: those who met once shall not meet again."""


class Reservation:
    """One port with its lock, held for one service."""

    def __init__(
        self,
        service: str,
        pool: PoolPlan,
        port: int,
        lock: HeldLock,
        record: PortRecord,
        listening: Listening | None,
    ) -> None:
        """`listening` is where portsup itself listens on it, to hand the socket down."""
        self.service = service
        self.pool = pool
        self.port = port
        self.lock = lock
        self.record = record
        self.listening = listening
        self.claim_seconds = 0.0

    def give_back(self) -> None:
        """Safe to call twice."""
        if self.listening is not None:
            self.listening.close()
        self.lock.give_back()

    def serve(self, pool: PoolPlan) -> bool:
        """The same port for a pool that was changed, with no child. False if portsup itself is to listen
        there now and somebody else does. Raises PortsupError as `listen` does."""
        self.pool = pool
        if pool.listen and self.listening is None:
            self.listening = listen(self.port)
            return self.listening is not None
        if not pool.listen and self.listening is not None:
            self.listening.close()
            self.listening = None
        return True

    def name_child(self, child: Owner) -> None:
        """Write who runs on the port now into the record. Raises PortsupError."""
        record = self.record._replace(child=child)
        self.lock.write(record)
        self.record = record


def listening_of(reservations: Iterable[Reservation]) -> Listening | None:
    """That of a service's main port, where portsup listens for it."""
    return next((held.listening for held in reservations if held.listening), None)


class InstanceClaim(NamedTuple):
    """The instance number, held."""

    lock: HeldLock
    record: InstanceRecord


class Want(NamedTuple):
    """A pool that one service asks a port of, and in which order."""

    service: str
    pool: PoolPlan
    ports: tuple[int, ...]


class Full(NamedTuple):
    """A pass found no free port for `want`. `identities` says who was met on each."""

    want: Want
    identities: tuple[tuple[object, ...], ...]
    committed: bool

    def confirms(self, earlier: Full | None) -> bool:
        """Two looks in a row met the same holders, and none of them about to go: between the two
        there was a moment when all ports were taken at once."""
        return (
            earlier is not None
            and self.committed
            and earlier.committed
            and (self.want, self.identities) == (earlier.want, earlier.identities)
        )


class _Patience:
    """Counts the looks that failed."""

    def __init__(self) -> None:
        self._looks = 0
        self._since = time.monotonic()

    def ends(self) -> bool:
        """One more has failed: was it the last?"""
        self._looks += 1
        long = time.monotonic() - self._since > ENOUGH_SECONDS
        return self._looks >= (ENOUGH_LOOKS if long else LOOKS)


Claims = dict[Want, Reservation]


def claim_instance(folder: LockFolder, record: InstanceRecord) -> InstanceClaim:
    """Raises InstanceTaken with stack, worktree and pid of the holder."""
    path = instance_file(folder.path, record.base_port)
    _remove_dead(path)
    patience = _Patience()
    while True:
        found = take(path)
        if isinstance(found, HeldLock):
            return _commit_instance(found, record)
        if found.committed or patience.ends():
            from supervisor.ports.refusal import instance_taken  # only where there is one

            raise instance_taken(record, found)
        _pause()


def _remove_dead(path: Path) -> None:
    """A dead supervisor's record, with the control socket of which nobody would know once it is replaced."""
    record = records.read(path)
    if record is not None and liveness(record) in (Liveness.DEAD, Liveness.REBOOTED):
        from supervisor.ports.prune import remove_dead  # seldom needed, and not for nothing

        remove_dead(path)


def _commit_instance(lock: HeldLock, record: InstanceRecord) -> InstanceClaim:
    try:
        lock.write(record)
    except BaseException:
        lock.give_back()
        raise
    return InstanceClaim(lock, record)


def reserve(plan: Plan, instance: InstanceRecord, folder: LockFolder, clock: Clock) -> list[Reservation]:
    """Claim one port for every pool of the plan. Raises NoFreePort; then nothing is left locked."""
    wants = [Want(unit.name, pool, pool.ports) for unit in plan.units for pool in unit.pools]
    return reserve_all(wants, instance, folder, clock)


def reserve_all(
    wants: Sequence[Want], instance: InstanceRecord, folder: LockFolder, clock: Clock
) -> list[Reservation]:
    """Claim a port for each of `wants`. Raises NoFreePort; then nothing is left locked."""
    claims = _claim(wants, instance, folder, clock)
    return [claims[want] for want in wants]


def reserve_again(
    service: str,
    pool: PoolPlan,
    instance: InstanceRecord,
    folder: LockFolder,
    clock: Clock,
    *,
    prefer: int | None = None,
    avoid: int | None = None,
) -> Reservation:
    """Claim a port for one pool: `prefer` first, never `avoid`. Raises NoFreePort."""
    ports = tuple(sorted((port for port in pool.ports if port != avoid), key=lambda port: port != prefer))
    want = Want(service, pool, ports)
    return _claim([want], instance, folder, clock)[want]


def _claim(wants: Sequence[Want], instance: InstanceRecord, folder: LockFolder, clock: Clock) -> Claims:
    earlier: Full | None = None
    patience = _Patience()
    while True:
        outcome = _all_or_none(wants, instance, folder, clock)
        if not isinstance(outcome, Full):
            return outcome
        if outcome.confirms(earlier) or patience.ends():
            from supervisor.ports.refusal import no_free_port  # only where there is one

            raise no_free_port(outcome.want, folder.path)
        earlier = outcome
        # Whoever failed is asked first: if it fails again, nobody else's port was taken for a moment.
        wants = sorted(wants, key=outcome.want.__ne__)
        _pause()


def _all_or_none(
    wants: Sequence[Want], instance: InstanceRecord, folder: LockFolder, clock: Clock
) -> Claims | Full:
    claims: Claims = {}
    complete = False
    try:
        full = _pass(wants, claims, instance, folder, clock)
        complete = full is None
        return full or claims
    finally:
        if not complete:
            for reservation in reversed(claims.values()):
                reservation.give_back()


def _pass(
    wants: Sequence[Want], claims: Claims, instance: InstanceRecord, folder: LockFolder, clock: Clock
) -> Full | None:
    """Lock a port for each of `wants`, then commit all of them. What is in `claims` is held."""
    for want in wants:
        found = _lock_one(want, instance, folder, clock)
        if isinstance(found, Full):
            return found
        claims[want] = found
    for reservation in claims.values():
        started = clock.now()
        reservation.lock.write(reservation.record)
        reservation.claim_seconds += clock.now() - started
    return None


def _lock_one(want: Want, instance: InstanceRecord, folder: LockFolder, clock: Clock) -> Reservation | Full:
    """The first of its ports whose lock is to be had and on which nobody listens."""
    started = clock.now()
    met: list[tuple[object, ...]] = []
    committed = True
    for port in want.ports:
        found = take(port_file(folder.path, port))
        if isinstance(found, Busy):
            met.append((port, *found.identity))
            committed = committed and found.committed
        elif reservation := _reservation(want, port, instance, found):
            reservation.claim_seconds = clock.now() - started
            return reservation
        else:
            met.append((port, "foreign"))
    return Full(want, tuple(met), committed)


def _reservation(want: Want, port: int, instance: InstanceRecord, lock: HeldLock) -> Reservation | None:
    """None if somebody uses the port; then, or if that can't be told, the lock is given back at once."""
    made = None
    try:
        if is_free(port):
            record = _record(want, port, instance)
            listening = listen(port) if want.pool.listen else None
            if listening or not want.pool.listen:
                made = Reservation(want.service, want.pool, port, lock, record, listening)
        return made
    finally:
        if made is None:
            lock.give_back()


def _record(want: Want, port: int, instance: InstanceRecord) -> PortRecord:
    return PortRecord(
        stack=instance.stack,
        config=instance.config,
        instance=instance.instance,
        instance_id=instance.instance_id,
        supervisor=instance.supervisor,
        uid=instance.uid,
        boot_id=instance.boot_id,
        pidns=instance.pidns,
        netns=instance.netns,
        acquired_at=time.time(),
        port=port,
        pool=want.pool.name,
        service=want.service,
        child=None,
    )


def _pause() -> None:
    shortest, longest = PAUSE
    time.sleep(shortest + (longest - shortest) * os.urandom(1)[0] / 255)  # importing random takes 5 ms
