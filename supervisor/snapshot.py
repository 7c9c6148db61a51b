"""The frozen view of instances and their units that every output reads.

The table, `--json`, the control socket and the API server all show these. `to_json` is exactly the
shape of DESIGN §7, schema 1. Leaf.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class ServiceSnapshot:
    """One unit as it was at one moment."""

    name: str
    state: str
    ready: bool
    pid: int | None
    ports: Mapping[str, int]
    """Pool name to claimed port; the main pool is called "port". Empty while nothing is claimed."""
    pools: Mapping[str, tuple[int, ...]]
    url: str | None
    shield: str
    """"up", "lost", "off", or "none" for a unit that holds no port."""
    restarts: int
    uptime_s: float | None
    exit: str | None
    """How the last child ended, in words ("code 1", "signal KILL"); None while the first one runs."""
    reason: str | None
    """Why the unit is in this state, where that isn't plain."""

    @property
    def port(self) -> int | None:
        return self.ports.get("port")

    @property
    def is_up(self) -> bool:
        """A job that is through with its work and said so is as good as one that runs."""
        return self.state == "RUNNING" or (self.state == "EXITED" and self.exit == "code 0")

    @property
    def is_over(self) -> bool:
        return self.state in ("STOPPED", "EXITED", "FATAL")

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "state": self.state,
            "ready": self.ready,
            "pid": self.pid,
            "port": self.port,
            "ports": dict(self.ports),
            "pools": {name: list(ports) for name, ports in self.pools.items()},
            "url": self.url,
            "shield": self.shield,
            "restarts": self.restarts,
            "uptime_s": None if self.uptime_s is None else round(self.uptime_s, 1),
            "exit": self.exit,
            "reason": self.reason,
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> ServiceSnapshot:
        return ServiceSnapshot(
            name=data["name"],
            state=data["state"],
            ready=data["ready"],
            pid=data["pid"],
            ports=dict(data["ports"]),
            pools={name: tuple(ports) for name, ports in data["pools"].items()},
            url=data["url"],
            shield=data["shield"],
            restarts=data["restarts"],
            uptime_s=data["uptime_s"],
            exit=data["exit"],
            reason=data["reason"],
        )


@dataclass(frozen=True, slots=True)
class InstanceSnapshot:
    """One instance as it was at one moment."""

    instance: int
    instance_id: str
    stack: str
    config: str
    base_port: int
    state: str
    """"starting", "running" (every unit ready), "degraded" (one failed), "stopping"; "dead" when the
    record is there but the supervisor isn't, "suspended" after a Ctrl-Z, "unreachable" when it lives and
    doesn't answer."""
    supervisor_pid: int
    supervisor_started: float
    """Seconds since boot."""
    services: tuple[ServiceSnapshot, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        return {
            "instance": self.instance,
            "instance_id": self.instance_id,
            "stack": self.stack,
            "config": self.config,
            "base_port": self.base_port,
            "state": self.state,
            "supervisor": {"pid": self.supervisor_pid, "started": self.supervisor_started},
            "services": [service.to_json() for service in self.services],
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> InstanceSnapshot:
        return InstanceSnapshot(
            instance=data["instance"],
            instance_id=data["instance_id"],
            stack=data["stack"],
            config=data["config"],
            base_port=data["base_port"],
            state=data["state"],
            supervisor_pid=data["supervisor"]["pid"],
            supervisor_started=data["supervisor"]["started"],
            services=tuple(ServiceSnapshot.from_json(service) for service in data["services"]),
        )


def document(instances: Iterable[InstanceSnapshot]) -> dict[str, Any]:
    """What `portsup status --json` prints."""
    return {"schema": SCHEMA, "instances": [instance.to_json() for instance in instances]}
