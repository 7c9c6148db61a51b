"""ChildSpec → Child."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from supervisor.process.child import Child

MARKER = "PORTSUP_UNIT"
"""Set at spawn only: how a process that left its session is told to belong to a unit."""


def marker(instance_id: str, service: str) -> str:
    return f"{instance_id}/{service}"


@dataclass(frozen=True, slots=True)
class ChildSpec:
    unit: str
    """The marker's value."""
    argv: tuple[str, ...]
    shell: bool
    cwd: Path
    env: Mapping[str, str]
    inherit: tuple[int, ...]
    """Descriptors of the locks that the child's tree holds, under the same numbers there."""


def spawn(spec: ChildSpec) -> Child:
    """Raises SpawnError: not found, not executable, no such folder, no more descriptors."""
    raise NotImplementedError
