"""Ports of one instance that are allowed and will hurt later. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from supervisor.config.model import Config, Problem, RelativePool, SharedPool
from supervisor.config.spans import spans
from supervisor.plan.pool import pool_plan

BROWSER_REFUSED = frozenset(
    {1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566}
    | {6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080}
)
"""The "bad ports" of the Fetch standard above 1023: a browser doesn't connect to them."""

PRIVILEGED_BELOW = 1024

Hazard = tuple[str, str | None]
"""What will hurt, and what to do about it."""


def warnings(config: Config, instance: int, base_port: int) -> tuple[Problem, ...]:
    """One for each pool and kind of hazard, by line."""
    pools = [
        (pool, pool_plan(pool, base_port).ports) for service in config.services for pool in service.pools
    ]
    relative = {
        port: pool.place.key for pool, ports in pools if isinstance(pool, RelativePool) for port in ports
    }
    found: list[Problem] = []
    for pool, ports in pools:
        met = overlaps(ports, relative, instance) if isinstance(pool, SharedPool) else ()
        found += [
            Problem(config.path, pool.place.line, pool.place.key, *hazard)
            for hazard in (*hazards(ports, config.ephemeral), *met)
        ]
    return tuple(sorted(found, key=lambda problem: problem.line))


def hazards(ports: Sequence[int], ephemeral: range) -> Iterator[Hazard]:
    if refused := BROWSER_REFUSED.intersection(ports):
        yield f"browsers refuse to open port {spans(refused)}", "fine for services that no browser opens"
    if outgoing := [port for port in ports if port in ephemeral]:
        span = f"{ephemeral.start}-{ephemeral.stop - 1}"
        yield (
            f"port {spans(outgoing)} lies in the kernel's range for outgoing connections, {span}",
            f"any program may hold it for a while: use ports below {ephemeral.start}",
        )
    if privileged := [port for port in ports if port < PRIVILEGED_BELOW]:
        yield f"port {spans(privileged)} usually needs root", f"use ports from {PRIVILEGED_BELOW}"


def overlaps(ports: Sequence[int], relative: Mapping[int, str], instance: int) -> Iterator[Hazard]:
    """Shared ports that are a relative pool's in this instance. The lock keeps the two apart,
    but who gets the port depends on who comes first."""
    met: dict[str, list[int]] = {}
    for port in ports:
        if port in relative:
            met.setdefault(relative[port], []).append(port)
    for key, shared in met.items():
        yield (
            f"overlaps {key} of instance {instance} at port {spans(shared)}",
            "leave this number out, or share other ports",
        )
