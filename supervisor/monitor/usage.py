"""How much of the machine each service's processes use."""

from __future__ import annotations

import time
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from supervisor.errors import NO_DESCRIPTORS
from supervisor.marker import marker_of, service_of
from supervisor.platform import os_facts
from supervisor.platform.contract import Owner, Process
from supervisor.snapshot import InstanceSnapshot

ROUNDED = 0.02
"""Seconds by which the start of a process may seem earlier or later: it is told in ticks."""


class ServiceKey(NamedTuple):
    """One service of one instance, as long as that instance lives."""

    instance_id: str
    name: str


class Usage(NamedTuple):
    """Of a service's child and all of its descendants together."""

    cpu: float | None
    """Share of one core since the look before, 1.0 = one core; None at the first one."""
    cpu_seconds: float
    """User and system, of those that live, and of those that ended as far as their parents count them. Never
    falls while the instance lives: what was counted once stays, also over a restart of the child."""
    memory: int
    """Resident bytes; pages that several of its processes share are counted for each."""
    processes: int


class Times(NamedTuple):
    """Seconds of processor time of one process."""

    own: float
    reaped: float
    """Of its children that have ended and that it waited for, and of theirs."""


class _Member(NamedTuple):
    """One look at one process of a service."""

    times: Times
    memory: int
    zombie: bool


class _Account(NamedTuple):
    """What is known of a service from the looks before."""

    times: Mapping[Owner, Times]
    total: float


Known = Mapping[tuple[str, Owner], ServiceKey]
"""Who was a service's at the last look, and is still when its parent is gone; by instance, since one may run
within a service of another."""


class UsageMeter:
    """Looks at the processes of services; a second look knows what happened since the first."""

    def __init__(self) -> None:
        self._looked: float | None = None
        """When, on the monotonic clock."""
        self._accounts: dict[ServiceKey, _Account] = {}
        self._known: Known = {}

    def measure(self, instances: Sequence[InstanceSnapshot]) -> Mapping[ServiceKey, Usage]:
        """Of every service that has a process which this user may see. Not for two threads at a time. Raises
        OSError without a descriptor to be had; the next look is then since the one before this."""
        now = time.monotonic()
        table = {process.pid: process for process in os_facts.processes()} if instances else {}
        services = told_apart(instances, table, self._known)
        looks = {key: dict(look(processes)) for key, processes in services.items()}
        elapsed = None if self._looked is None else now - self._looked
        self._looked = now
        self._keep(services, {instance.instance_id for instance in instances})
        return {key: self._usage(key, members, elapsed) for key, members in looks.items() if members}

    def _keep(self, services: Mapping[ServiceKey, Sequence[Process]], ids: Container[str]) -> None:
        self._known = {
            (key.instance_id, process.owner): key for key, found in services.items() for process in found
        }
        self._accounts = {key: account for key, account in self._accounts.items() if key.instance_id in ids}

    def _usage(self, key: ServiceKey, members: Mapping[Owner, _Member], elapsed: float | None) -> Usage:
        before = self._accounts.get(key)
        times = {owner: member.times for owner, member in members.items()}
        if before is None:
            share, total = None, grown({}, times)
        else:
            share = _share(before.times, times, elapsed)
            total = before.total + grown(before.times, times)
        self._accounts[key] = _Account(times, total)
        memory = sum(member.memory for member in members.values())
        return Usage(share, total, memory, sum(not member.zombie for member in members.values()))


def told_apart(
    instances: Iterable[InstanceSnapshot], table: Mapping[int, Process], known: Known
) -> dict[ServiceKey, list[Process]]:
    """The processes of each service: its child, what the supervisor adopted of it, and all below these.

    `table` is one look at all processes, `known` says whose they were before. An orphan that is neither
    known, nor in the child's session, nor marked is nobody's.
    """
    children: dict[int, list[Process]] = {}
    for process in table.values():
        children.setdefault(process.ppid, []).append(process)
    found: dict[ServiceKey, list[Process]] = {}
    for instance in instances:
        if not _is_supervisor(table.get(instance.supervisor_pid), instance):
            continue
        leaders = {
            service.pid: ServiceKey(instance.instance_id, service.name)
            for service in instance.services
            if service.pid is not None
        }
        for root in children.get(instance.supervisor_pid, ()):
            before = known.get((instance.instance_id, root.owner))
            if key := leaders.get(root.pid) or before or _key_of(root, instance, leaders):
                found.setdefault(key, []).extend(_with_descendants(root, children))
    return found


def _is_supervisor(process: Process | None, instance: InstanceSnapshot) -> bool:
    """Whether `process` is the very one that the snapshot names: it may have been another's pid since, or be
    in another pid namespace."""
    if process is None:
        return False
    return abs(process.started / os_facts.TICKS_PER_SECOND - instance.supervisor_started) <= ROUNDED


def _key_of(
    orphan: Process, instance: InstanceSnapshot, leaders: Mapping[int, ServiceKey]
) -> ServiceKey | None:
    """By its session, then its marker."""
    if orphan.sid in leaders:
        return leaders[orphan.sid]
    name = service_of(marker_of(orphan.pid), instance.instance_id)
    return None if name is None else ServiceKey(instance.instance_id, name)


def _with_descendants(root: Process, children: Mapping[int, Sequence[Process]]) -> Iterator[Process]:
    """Each once, also if the look at the processes took so long that it shows a circle."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        process = waiting.pop()
        if process.pid not in seen:
            seen.add(process.pid)
            yield process
            waiting += children.get(process.pid, ())


def look(processes: Iterable[Process]) -> Iterator[tuple[Owner, _Member]]:
    """At those that are still there and may be seen."""
    import psutil

    for process in processes:
        try:
            seen = psutil.Process(process.pid)
            times = seen.cpu_times()
            memory = 0 if process.zombie else seen.memory_info().rss
        except psutil.Error:
            continue
        except OSError as error:
            if error.errno in NO_DESCRIPTORS:  # that says nothing of the process
                raise
            continue
        found = os_facts.process(process.pid)
        if found is None or found.owner != process.owner:  # gone, and perhaps its pid is another's
            continue
        spent = Times(times.user + times.system, times.children_user + times.children_system)
        yield process.owner, _Member(spent, memory, found.zombie)


def grown(before: Mapping[Owner, Times], now: Mapping[Owner, Times]) -> float:
    """Seconds that were spent between two looks at a service's processes; all of them where there was none.

    Who ended in between is in what its parent has reaped, with all that it had spent: only what goes beyond
    that is new. Where nobody of the service has waited for it, what it spent since the look before is lost.
    """
    own = sum(times.own - before[owner].own if owner in before else times.own for owner, times in now.items())
    reaped = sum(
        times.reaped - before[owner].reaped if owner in before else times.reaped
        for owner, times in now.items()
    )
    ended = sum(times.own + times.reaped for owner, times in before.items() if owner not in now)
    return max(0.0, own) + max(0.0, reaped - ended)


def _share(before: Mapping[Owner, Times], now: Mapping[Owner, Times], elapsed: float | None) -> float | None:
    """Of one core; without what those have spent who are new here but older than the look before."""
    if not elapsed:
        return None
    of_since = {
        owner: times
        for owner, times in now.items()
        if owner in before or os_facts.age(owner) <= elapsed + ROUNDED
    }
    return grown(before, of_since) / elapsed
