"""Why a claim is refused, in words: who is in the way, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from supervisor.config.spans import spans
from supervisor.errors import InstanceTaken, NoFreePort
from supervisor.ports import wording
from supervisor.ports.liveness import left_alive
from supervisor.ports.lock import Busy
from supervisor.ports.owner import inspect
from supervisor.ports.report import Holding, PortReport, holder
from supervisor.records import InstanceRecord

if TYPE_CHECKING:
    from supervisor.ports.reserve import Want


def no_free_port(want: Want, folder: Path) -> NoFreePort:
    reports = [inspect(folder, port) for port in want.ports]
    where = spans(want.ports) or "its pool without the port that it lost"
    return NoFreePort(
        f"no free port for {want.service} in {where}",
        details=[_line(report) for report in reports],
        hint=_most_useful(reports),
    )


def _line(report: PortReport) -> str:
    if report.holding is Holding.FREE:
        return f"{report.port}  nobody listens, but it can't be bound (TIME_WAIT, or a socket bound only)"
    return report.line()


def _most_useful(reports: Sequence[PortReport]) -> str | None:
    order = (
        Holding.LEFTOVER,
        Holding.STALE,
        Holding.HELD,
        Holding.FOREIGN,
        Holding.UNUSABLE,
        Holding.CLAIMING,
    )
    known = [report for report in reports if report.holding in order]
    best = min(known, key=lambda report: order.index(report.holding), default=None)
    return best.hint() if best else None


def instance_taken(ours: InstanceRecord, busy: Busy) -> InstanceTaken:
    theirs = busy.record
    message = f"instance {ours.instance} is taken"
    if theirs is None:
        details = [f"{busy.path} is locked and tells of nobody"]
    else:
        details = [holder(theirs)]
        if theirs.config == ours.config and busy.reason == "held":
            return _already_up(theirs.instance, details)
        if theirs.stack != ours.stack:
            message += f": its base port {ours.base_port} belongs to another project"
    if busy.reason == "survivors":
        details.append(f"its supervisor is dead, but processes that it started live{_which(busy)}")
        return InstanceTaken(message, details=details, hint=wording.PRUNE)
    if busy.reason == "other-user":
        details.append(f"nobody lives there, but the lock file is another user's: {busy.path}")
    return InstanceTaken(message, details=details, hint="use -i auto, another number, or another base_port")


def _which(busy: Busy) -> str:
    """ ": pid 77, 78", told by marker, session or the inherited lock, or "" if they can't be seen."""
    record = busy.record
    try:
        file = busy.path.stat()
    except OSError:
        return ""  # ended and cleared away meanwhile
    if record is None:
        return ""
    told = left_alive(record, busy.path.parent, (file.st_dev, file.st_ino))
    return f": pid {', '.join(str(process.pid) for process in told)}" if told else ""


def _already_up(number: int, details: Sequence[str]) -> InstanceTaken:
    return InstanceTaken(
        f"instance {number} of this worktree is already up",
        details=details,
        hint=f"`portsup status -i {number}` shows it, "
        f"`portsup start -i {number} SERVICE` starts a service of it",
    )
