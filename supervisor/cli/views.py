"""Snapshots as tables: what is shown of them, and in which order it gives way on a narrow terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from supervisor import shown
from supervisor.cli.table import Cell, Column, View
from supervisor.ports.wording import PRUNE, or_root
from supervisor.snapshot import InstanceSnapshot, ServiceSnapshot

if TYPE_CHECKING:
    from supervisor.cli.ps import InstanceRow


def duration(seconds: float | None) -> str:
    """Two units at most: "4.2s", "3m 5s", "2h 0m", "5d 3h"."""
    if seconds is None:
        return "-"
    if seconds < 10:
        return f"{max(int(seconds * 10), 0) / 10}s"
    minutes, rest = divmod(int(seconds), 60)
    if not minutes:
        return f"{rest}s"
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return f"{minutes}m {rest}s"
    days, hours = divmod(hours, 24)
    return f"{days}d {hours}h" if days else f"{hours}h {minutes}m"


def port_range(ports: Sequence[int]) -> str:
    """The ports of a pool in their order: "6000-6002" if they follow each other, else "9000, 9005"."""
    first = ports[0]
    if len(ports) > 1 and list(ports) == list(range(first, first + len(ports))):
        return f"{first}-{ports[-1]}"
    return ", ".join(str(port) for port in ports)


def status_view(instances: Sequence[InstanceSnapshot], others: Mapping[str, int] | None = None) -> View:
    """Every service of `instances`, and below them why some are not up.

    `others` gives the uid for the id of each that is another user's, and so can't be asked.
    """
    several = len({instance.config for instance in instances}) > 1
    rows = [row for instance in instances for row in _status_rows(instance, several)]
    titles = [
        Column("instance", ()),
        Column("service", (), fold=True),
        Column("state", ()),
        Column("port", ()),
        Column("url", (), drop=5),
        Column("pid", (), drop=1, right=True),
        Column("shield", (), drop=4),
        Column("restarts", (), drop=3, right=True),
        Column("uptime", (), drop=2, right=True),
    ]
    uids = others or {}
    lines = [line for one in instances for line in _reasons(one, several, uids.get(one.instance_id))]
    return View(_filled(titles, rows), lines)


def _status_rows(instance: InstanceSnapshot, several: bool) -> list[list[Cell]]:
    label = Cell(_label(instance, several))
    if not instance.services:
        state = Cell(instance.state, shown.STATE_STYLES.get(instance.state, ""))
        return [[label, Cell("-"), state, *[Cell("-")] * 6]]
    return [[label, *_service_cells(service)] for service in instance.services]


def _label(instance: InstanceSnapshot, several: bool) -> str:
    return f"{instance.stack} {instance.instance}" if several else str(instance.instance)


def _service_cells(service: ServiceSnapshot) -> list[Cell]:
    return [
        Cell(service.name),
        Cell(service.state, shown.STATE_STYLES.get(service.state, "")),
        Cell(shown.ports(service)),
        Cell(service.url or "-"),
        Cell(str(service.pid or "-")),
        Cell(service.shield, shown.SHIELD_STYLES.get(service.shield, "")),
        Cell(str(service.restarts)),
        Cell(duration(service.uptime_s)),
    ]


def _reasons(instance: InstanceSnapshot, several: bool, other: int | None) -> list[str]:
    """`other` is the uid of the other user whose it is."""
    label = _label(instance, several)
    pid = instance.supervisor_pid
    if other is not None:
        return [f"{label}: {_others(instance, other)}"]
    if instance.state == "dead":
        return [f"{label}: its supervisor (pid {pid}) is dead; `portsup prune` clears what it left"]
    if instance.state == "suspended":
        return [f"{label}: its supervisor (pid {pid}) is suspended (Ctrl-Z); `fg` in its terminal wakes it"]
    if instance.state == "unreachable":
        return [f"{label}: its supervisor (pid {pid}) does not answer"]
    return [
        f"{label} {service.name}: {why}"
        for service in instance.services
        if (why := shown.trouble(service)) is not None
    ]


def _others(instance: InstanceSnapshot, uid: int) -> str:
    pid = instance.supervisor_pid
    if instance.state == "dead":
        return f"its supervisor (pid {pid}) is dead; {or_root(uid)} must {PRUNE}"
    return f"its supervisor (pid {pid}) belongs to uid {uid}, so that it can't be asked"


def ps_view(instances: Iterable[InstanceRow]) -> View:
    rows = [_ps_cells(instance) for instance in instances]
    titles = [
        Column("stack", (), fold=True),
        Column("instance", (), right=True),
        Column("state", ()),
        Column("base port", (), drop=2, right=True),
        Column("worktree", (), fold=True),
        Column("pid", (), drop=3, right=True),
        Column("services", (), right=True),
        Column("age", (), drop=1, right=True),
    ]
    return View(_filled(titles, rows))


def _ps_cells(row: InstanceRow) -> list[Cell]:
    return [
        Cell(row.stack),
        Cell(str(row.instance)),
        Cell(row.state, shown.STATE_STYLES.get(row.state, "")),
        Cell(str(row.base_port)),
        Cell(shown.home_as_tilde(row.worktree)),
        Cell(str(row.pid)),
        Cell("-" if row.total is None else f"{row.ready}/{row.total}"),
        Cell(duration(row.age_s)),
    ]


def _filled(titles: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> list[Column]:
    return [column._replace(cells=[row[i] for row in rows]) for i, column in enumerate(titles)]
