"""What dead supervisors left."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from supervisor.cli.checkup.finding import Finding, ok, warn
from supervisor.errors import PortsupError
from supervisor.ports.leftovers import Leftover
from supervisor.ports.prune import find

LEFTOVERS = "leftovers"


def leftovers(folder: Path) -> Finding:
    try:
        found = find(folder) if folder.is_dir() else []
    except (PortsupError, OSError) as error:
        return warn(LEFTOVERS, f"cannot look for them: {error}")
    ours = [one for one in found if one.ours and not one.kept]
    others = [one for one in found if not one.ours]
    if ours:
        return warn(
            LEFTOVERS, f"{_count(ours)} of dead supervisors, which keep their ports", None, "portsup prune"
        )
    if others:
        uids = ", ".join(map(str, sorted({one.uid for one in others})))
        return warn(LEFTOVERS, f"{_count(others)} of uid {uids}", "that user, or root, runs `portsup prune`")
    return ok(LEFTOVERS, "no dead supervisor left anything")


def _count(found: list[Leftover]) -> str:
    kinds = Counter(str(one.kind) for one in found)
    plural = {"process": "processes", "file": "lock files", "socket": "sockets"}
    single = {"process": "process", "file": "lock file", "socket": "socket"}
    return ", ".join(f"{count} {(plural if count > 1 else single)[kind]}" for kind, count in kinds.items())
