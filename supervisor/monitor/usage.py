"""How much of the machine each service's processes use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from supervisor.snapshot import InstanceSnapshot


class ServiceKey(NamedTuple):
    """One service of one instance, as long as that instance lives."""

    instance_id: str
    name: str


class Usage(NamedTuple):
    """Of a service's child and all of its descendants together."""

    cpu: float | None
    """Share of one core since the look before, 1.0 = one core; None at the first one."""
    cpu_seconds: float
    """User and system, of those that live, and of those that ended as far as their parents count them."""
    memory: int
    """Resident bytes; pages that several of its processes share are counted for each."""
    processes: int


class UsageMeter:
    """Looks at the processes of services; a second look knows what happened since the first."""

    def measure(self, instances: Sequence[InstanceSnapshot]) -> Mapping[ServiceKey, Usage]:
        """Of every service that has a process which this user may see."""
        raise NotImplementedError
