"""Ports that are allowed and will hurt later."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from supervisor.config.model import Pool, RelativePool
from supervisor.config.services import Draft
from supervisor.config.spans import spans

BROWSER_REFUSED = frozenset(
    {1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566}
    | {6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080}
)
"""The "bad ports" of the Fetch standard above 1023: a browser doesn't connect to them."""

PRIVILEGED_BELOW = 1024

_RANGE_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def ephemeral_range() -> range:
    """The ports that the kernel gives to outgoing connections; empty where it doesn't say (not Linux)."""
    try:
        low, high = map(int, _RANGE_FILE.read_text().split())
    except (OSError, ValueError):
        return range(0)
    return range(low, high + 1)


def warn(drafts: Sequence[Draft], base_port: int, ephemeral: range) -> None:
    """One warning for each pool and kind of hazard; relative pools as instance 1 sees them."""
    for draft in drafts:
        for pool in draft.service.pools:
            for message, hint in hazards(_ports(pool, base_port), ephemeral):
                draft.pool_field(pool).doubt(message, hint)


def _ports(pool: Pool, base_port: int) -> Sequence[int]:
    if isinstance(pool, RelativePool):
        return range(base_port + pool.offset, base_port + pool.offset + pool.size)
    return pool.ports


def hazards(ports: Sequence[int], ephemeral: range) -> Iterator[tuple[str, str | None]]:
    """What will hurt with these ports, and what to do about it."""
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
