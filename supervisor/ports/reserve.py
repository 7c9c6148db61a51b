"""Plan → reservations: for the whole instance, all or none."""

from __future__ import annotations

from dataclasses import dataclass

from supervisor.clock import Clock
from supervisor.plan.plan import Plan
from supervisor.plan.pool import PoolPlan
from supervisor.platform.contract import Owner
from supervisor.ports.lock import HeldLock, LockFolder
from supervisor.records import InstanceRecord, PortRecord


@dataclass(slots=True)
class Reservation:
    """One port with its lock, held for one service."""

    service: str
    pool: PoolPlan
    port: int
    lock: HeldLock
    record: PortRecord
    claim_seconds: float

    def name_child(self, child: Owner) -> None:
        """Write who runs on the port now into the record."""
        raise NotImplementedError


@dataclass(slots=True)
class InstanceClaim:
    """The instance number, held."""

    lock: HeldLock
    record: InstanceRecord


def claim_instance(folder: LockFolder, record: InstanceRecord) -> InstanceClaim:
    """Raises InstanceTaken with stack, worktree and pid of the holder."""
    raise NotImplementedError


def reserve(plan: Plan, instance: InstanceRecord, folder: LockFolder, clock: Clock) -> list[Reservation]:
    """Claim one port for every pool of the plan. Raises NoFreePort; then nothing is left locked."""
    raise NotImplementedError


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
    raise NotImplementedError
