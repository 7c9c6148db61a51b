"""Port numbers as people write them."""

from __future__ import annotations

from collections.abc import Iterable


def spans(ports: Iterable[int]) -> str:
    """`9000-9002, 9010`: sorted, neighbours joined."""
    runs: list[list[int]] = []
    for port in sorted(set(ports)):
        if runs and port == runs[-1][-1] + 1:
            runs[-1].append(port)
        else:
            runs.append([port])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
