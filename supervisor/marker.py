"""What every child is marked with, and by which the processes of a unit are told. Leaf."""

from __future__ import annotations

from supervisor.platform import os_facts

UNIT = "PORTSUP_UNIT"
"""Set at spawn only, to the instance's id, a slash and the service: how a process that left its session is
told to belong to a unit. `env`, `exec` and `run` don't pass it on: prune would end whoever has it."""


def marker_of(pid: int) -> str | None:
    return os_facts.environment_variable(pid, UNIT)


def service_of(marker: str | None, instance_id: str) -> str | None:
    """The service that a marker names, if it is one of that instance."""
    prefix = f"{instance_id}/"
    return marker.removeprefix(prefix) if marker and marker.startswith(prefix) else None
