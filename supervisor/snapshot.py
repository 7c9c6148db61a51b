"""The frozen view of instances and their units that every output reads.

The table, `--json`, the control socket and the API server all show these. `to_json` is exactly the
shape of DESIGN §7, schema 1. Leaf.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

SCHEMA = 1

SERVICE_STATES = ("PENDING", "STARTING", "RUNNING", "BACKOFF", "STOPPING", "STOPPED", "EXITED", "FATAL")
"""As `supervise/state.py` explains them."""

INSTANCE_STATES = ("starting", "running", "degraded", "stopping", "dead", "suspended", "unreachable")


class ServiceSnapshot(NamedTuple):
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

    @property
    def failed(self) -> bool:
        """It is over, and not well."""
        return self.state in ("FATAL", "EXITED") and not self.is_up

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
    def from_json(data: Any) -> ServiceSnapshot:
        """Raises ValueError if it is none."""
        return ServiceSnapshot(
            name=_entry(data, "name", str),
            state=_entry(data, "state", str),
            ready=_entry(data, "ready", bool),
            pid=_entry(data, "pid", int | None),
            ports=_of_ports(_entry(data, "ports", dict)),
            pools={name: _all_ports(ports) for name, ports in _entry(data, "pools", dict).items()},
            url=_entry(data, "url", str | None),
            shield=_entry(data, "shield", str),
            restarts=_entry(data, "restarts", int),
            uptime_s=_entry(data, "uptime_s", int | float | None),
            exit=_entry(data, "exit", str | None),
            reason=_entry(data, "reason", str | None),
        )


class InstanceSnapshot(NamedTuple):
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
    services: tuple[ServiceSnapshot, ...] = ()

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
    def from_json(data: Any) -> InstanceSnapshot:
        """Raises ValueError if it is none."""
        supervisor = _entry(data, "supervisor", dict)
        return InstanceSnapshot(
            instance=_entry(data, "instance", int),
            instance_id=_entry(data, "instance_id", str),
            stack=_entry(data, "stack", str),
            config=_entry(data, "config", str),
            base_port=_entry(data, "base_port", int),
            state=_entry(data, "state", str),
            supervisor_pid=_entry(supervisor, "pid", int),
            supervisor_started=_entry(supervisor, "started", int | float),
            services=tuple(map(ServiceSnapshot.from_json, _entry(data, "services", list))),
        )


def _entry(data: Any, key: str, kind: Any) -> Any:
    """What stands under `key`, if it is a `kind`: whoever answers may be another program.

    Raises ValueError.
    """
    if not isinstance(data, dict) or key not in data:
        raise ValueError(f"has no {key}")
    return _typed(data[key], kind)


def _typed(value: Any, kind: Any) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"a {type(value).__name__} is not what belongs here")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("there is no such number")  # and JSON, as we write it, has none either
    return value


def _of_ports(data: dict[str, Any]) -> dict[str, int]:
    return {name: _typed(port, int) for name, port in data.items()}


def _all_ports(data: Any) -> tuple[int, ...]:
    return tuple(_typed(port, int) for port in _typed(data, list))


def document(instances: Iterable[InstanceSnapshot]) -> dict[str, Any]:
    """What `portsup status --json` prints."""
    return {"schema": SCHEMA, "instances": [instance.to_json() for instance in instances]}
