"""Config × instance number → Plan: all that is known before a port is claimed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from supervisor.config.model import Config, Ready, Service
from supervisor.plan.pool import PoolPlan

HOST = "127.0.0.1"

Claimed = Mapping[str, Mapping[str, int]]
"""Service → pool → port: what the claims gave."""


@dataclass(frozen=True, slots=True)
class UnitPlan:
    service: Service
    pools: tuple[PoolPlan, ...]

    @property
    def name(self) -> str:
        return self.service.name


@dataclass(frozen=True, slots=True)
class Plan:
    config: Path
    stack: str
    instance: int
    base_port: int
    env: Mapping[str, str]
    units: tuple[UnitPlan, ...]
    """Dependencies before their dependents, else in the file's order."""


@dataclass(frozen=True, slots=True)
class Launch:
    """All that starting a unit takes, with everything filled in."""

    argv: tuple[str, ...]
    cwd: Path
    env: dict[str, str]
    ready: Ready


def make_plan(config: Config, instance: int) -> Plan:
    """Raises UsageError for an impossible number."""
    raise NotImplementedError


def with_dependencies(plan: Plan, names: Iterable[str]) -> frozenset[str]:
    """`names` and all that they depend on. Raises UsageError for a name that isn't in the stack."""
    raise NotImplementedError


def url(port: int) -> str:
    return f"http://{HOST}:{port}"


def instance_variables(plan: Plan, claimed: Claimed, *, instance_id: str, data_dir: Path) -> dict[str, str]:
    """What `portsup env` prints: HOST, PORTSUP_INSTANCE, …, and PORTSUP_<SERVICE>_PORT and _URL of every service."""
    raise NotImplementedError


def launch(
    plan: Plan,
    unit: UnitPlan,
    claimed: Claimed,
    *,
    instance_id: str,
    data_dir: Path,
    environ: Mapping[str, str],
) -> Launch:
    """Fill in one unit's command, folder, environment and ready check.

    `environ` is what the supervisor was started with; env files come over it, then portsup's own
    variables, then the service's `env`. Raises ConfigError if `${env:NAME}` is not set.
    """
    raise NotImplementedError


def dependents_on_ports(plan: Plan, name: str) -> frozenset[str]:
    """The services whose own command, env or ready names a port or url of `name`."""
    raise NotImplementedError
