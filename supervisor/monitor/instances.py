"""What this user may see of this machine, asked anew each time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from supervisor.control import client, registry
from supervisor.errors import PortsupError, UsageError
from supervisor.records import InstanceRecord
from supervisor.snapshot import InstanceSnapshot

TIMEOUT = 1.0
"""Seconds for all supervisors together."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which instances are meant; None means any."""

    instance: int | None = None
    stack: str | None = None
    instance_id: str | None = None

    def admits(self, record: InstanceRecord) -> bool:
        return (
            self.instance in (None, record.instance)
            and self.stack in (None, record.stack)
            and self.instance_id in (None, record.instance_id)
        )


def visible(folder: Path, wanted: Filter = Filter()) -> list[InstanceRecord]:
    """The running instances that this user may ask."""
    return [
        record for record in registry.instances(folder) if client.may_ask(record) and wanted.admits(record)
    ]


class Hints(NamedTuple):
    """What a caller of `only` can do next, in the words of the door that it came through."""

    none: str
    """Where nothing is what is meant."""
    several: str
    """Where more than one instance is."""


HINTS = Hints("`portsup ps` lists the instances that run", "name the stack, or the instance's id")


def only(folder: Path, wanted: Filter, hints: Hints = HINTS) -> InstanceRecord:
    """The one that is meant. Raises UsageError if there is none, PortsupError if there are several."""
    found = visible(folder, wanted)
    if not found:
        raise UsageError(f"there is no instance{_meant(wanted)}", hint=hints.none)
    if len(found) > 1:
        raise PortsupError(
            f"there are {len(found)} instances{_meant(wanted)}",
            details=[f"{record.stack} in {record.worktree}, id {record.instance_id}" for record in found],
            hint=hints.several,
        )
    return found[0]


def _meant(wanted: Filter) -> str:
    """ " 2 of web with the id web-2-5f3a9c", as far as it is told."""
    told = ((" ", wanted.instance), (" of ", wanted.stack), (" with the id ", wanted.instance_id))
    return "".join(f"{before}{value}" for before, value in told if value is not None)


def snapshots(folder: Path, wanted: Filter = Filter()) -> list[InstanceSnapshot]:
    return registry.snapshots_of(visible(folder, wanted), timeout=TIMEOUT)


def flat(instances: Iterable[InstanceSnapshot]) -> list[dict[str, Any]]:
    """Every service of every instance, each with whose it is."""
    return [
        {**whose(instance), **service.to_json()} for instance in instances for service in instance.services
    ]


def timings(folder: Path) -> list[dict[str, Any]]:
    """For each instance its services' phases (claim, spawn, ready, stop), or why it didn't tell."""
    asked = visible(folder)
    answers = registry.ask_all(asked, "stats", timeout=TIMEOUT)
    return [{**whose(record), **_timing(answer)} for record, answer in zip(asked, answers, strict=True)]


def whose(instance: InstanceSnapshot | InstanceRecord) -> dict[str, Any]:
    return {
        "stack": instance.stack,
        "instance": instance.instance,
        "instance_id": instance.instance_id,
    }


def _timing(answer: Any) -> dict[str, Any]:
    match answer:
        case {"services": dict(services)}:
            return {"services": services, "error": None}
        case PortsupError(message=message):
            return {"services": {}, "error": message}
        case _:
            return {"services": {}, "error": "its figures can't be understood"}
