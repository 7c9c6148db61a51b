"""The metrics that `GET /metrics` shows, as data: docs/monitoring.md lists them from here.

An instance is told by the three labels that stay the same over its runs; which run it is, and where, says
`portsup_instance_info`. None is called "instance": Prometheus gives that name to the address it scrapes.
"""

from __future__ import annotations

from typing import NamedTuple

INSTANCE = ("stack", "number", "base_port")
SERVICE = (*INSTANCE, "service")


class Family(NamedTuple):
    name: str
    kind: str
    """As OpenMetrics calls it: "gauge", "counter", "summary" or "info"."""
    labels: tuple[str, ...]
    help: str


BUILD = Family("portsup_build_info", "info", ("version",), "The portsup that tells this.")

INSTANCE_INFO = Family(
    "portsup_instance_info", "info", (*INSTANCE, "instance_id", "worktree"), "Which run of an instance it is."
)

INSTANCE_STATE = Family(
    "portsup_instance_state",
    "gauge",
    (*INSTANCE, "state"),
    "1 for the state that the instance is in, else 0.",
)

UP = Family("portsup_service_up", "gauge", SERVICE, "Whether a process of the service runs.")

READY = Family("portsup_service_ready", "gauge", SERVICE, "Whether it is ready.")

STATE = Family(
    "portsup_service_state", "gauge", (*SERVICE, "state"), "1 for the state that the service is in, else 0."
)

RESTARTS = Family(
    "portsup_service_restarts_total",
    "counter",
    SERVICE,
    "Restarts by portsup in this run, not those by hand.",
)

UPTIME = Family(
    "portsup_service_uptime_seconds", "gauge", SERVICE, "Since its process was started; none without one."
)

PORT = Family("portsup_service_port", "gauge", (*SERVICE, "pool"), "The port that it holds of the pool.")

SHIELD = Family(
    "portsup_service_shield_up",
    "gauge",
    SERVICE,
    "0 where its shield is lost; none for one without a shield.",
)

CPU = Family(
    "portsup_service_cpu_seconds_total",
    "counter",
    SERVICE,
    "User and system time of its process and all below it.",
)

MEMORY = Family(
    "portsup_service_resident_memory_bytes",
    "gauge",
    SERVICE,
    "Resident memory of its process and all below it; shared pages count for each.",
)

PROCESSES = Family("portsup_service_processes", "gauge", SERVICE, "Its process and all below it.")

PHASES = Family(
    "portsup_service_phase_duration_seconds",
    "summary",
    (*SERVICE, "phase"),
    "How long its latest 1000 claims, spawns, ways to readiness and stops took; quantile 1 is the longest.",
)

POOL = Family(
    "portsup_pool_ports",
    "gauge",
    (*SERVICE, "pool", "state"),
    "Ports of the pool by who has them: ours, other, foreign, leftover or free.",
)

SCRAPE = Family("portsup_scrape_duration_seconds", "gauge", (), "How long finding this out took.")

FAMILIES = (
    BUILD,
    INSTANCE_INFO,
    INSTANCE_STATE,
    UP,
    READY,
    STATE,
    RESTARTS,
    UPTIME,
    PORT,
    SHIELD,
    CPU,
    MEMORY,
    PROCESSES,
    PHASES,
    POOL,
    SCRAPE,
)
