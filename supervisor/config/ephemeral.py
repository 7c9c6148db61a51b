"""The ports that the kernel keeps for itself."""

from __future__ import annotations

from pathlib import Path

_RANGE_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def ephemeral_range() -> range:
    """The ports that the kernel gives to outgoing connections; empty where it doesn't say (not Linux)."""
    try:
        low, high = map(int, _RANGE_FILE.read_text().split())
    except (OSError, ValueError):
        return range(0)
    return range(low, high + 1)
