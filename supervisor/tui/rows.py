"""What the table of services says: a row for each instance, and below it one for each of its services."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from supervisor import shown
from supervisor.control import client
from supervisor.monitor.usage import ServiceKey, Usage
from supervisor.snapshot import InstanceSnapshot, ServiceSnapshot
from supervisor.tui import figures
from supervisor.tui.safe_text import plain
from supervisor.tui.watcher import InstanceId, Look, Seen

CURVE_CELLS = 12

BUSY = "…"
"""Behind what was asked of a service, until it is done."""

WHY = {
    "dead": "its supervisor is dead; `portsup prune` clears what it left",
    "suspended": "its supervisor is suspended (Ctrl-Z); `fg` in its terminal wakes it",
    "unreachable": "its supervisor does not answer",
    "starting": "it has no service yet",
}
"""Why an instance shows no services."""


class RowKey(NamedTuple):
    instance: InstanceId
    service: str | None
    """None for the instance's own row."""


class Cell(NamedTuple):
    text: str
    style: str = ""


class Row(NamedTuple):
    key: RowKey
    cells: Mapping[str, Cell]
    """By column; an instance's row has "instance" alone, over the whole width."""


class Order(StrEnum):
    WRITTEN = "as they are written"
    CPU = "by CPU"
    MEMORY = "by memory"


Busy = Mapping[RowKey, Sequence[str]]
"""The verbs that are under way for a service."""


def rows(look: Look, wanted: str, order: Order, busy: Busy) -> list[Row]:
    """`wanted`: only services that contain it in a name or their worktree; all if it is empty."""
    return [row for seen in look.instances for row in _of_instance(look, seen, wanted, order, busy)]


def _of_instance(look: Look, seen: Seen, wanted: str, order: Order, busy: Busy) -> Iterator[Row]:
    services = [service for service in seen.snapshot.services if _is_wanted(seen, service.name, wanted)]
    if not services and not _is_wanted(seen, "", wanted):
        return
    yield Row(RowKey(seen.id, None), {"instance": _title(seen)})
    for service in sorted(services, key=lambda one: _rank(look, seen, one, order)):
        key = RowKey(seen.id, service.name)
        yield Row(key, _cells(look, seen, service, busy.get(key, ())))


def _is_wanted(seen: Seen, service: str, wanted: str) -> bool:
    record = seen.record
    return wanted.casefold() in f"{record.stack} {record.instance} {record.worktree} {service}".casefold()


def _rank(look: Look, seen: Seen, service: ServiceSnapshot, order: Order) -> float:
    """The greatest first; Python's sort leaves equals as they are."""
    usage = _usage(look, seen, service)
    match order:
        case Order.CPU if usage is not None:
            return -(usage.cpu or 0.0)
        case Order.MEMORY if usage is not None:
            return -usage.memory
        case _:
            return 0.0


def _usage(look: Look, seen: Seen, service: ServiceSnapshot) -> Usage | None:
    return look.usage.get(ServiceKey(seen.record.instance_id, service.name))


def _title(seen: Seen) -> Cell:
    record, snapshot = seen
    sign, style = figures.state(snapshot.state)
    words = [f"{sign} {plain(name_of(seen))}  {snapshot.state}"]
    if not snapshot.services:
        words.append(_why_empty(seen))
    words.append(plain(shown.home_as_tilde(record.worktree)))
    return Cell("  ".join(filter(None, words)), f"bold {style}" if snapshot.state in WHY else "bold")


def _why_empty(seen: Seen) -> str:
    if not client.may_ask(seen.record):
        return f"it belongs to uid {seen.record.uid}, so that it can't be asked"
    return WHY.get(seen.snapshot.state, "")


def name_of(seen: Seen) -> str:
    return f"{seen.record.stack} {seen.record.instance}"


def _cells(look: Look, seen: Seen, service: ServiceSnapshot, verbs: Sequence[str]) -> Mapping[str, Cell]:
    usage = _usage(look, seen, service)
    points = look.points.get(ServiceKey(seen.record.instance_id, service.name), ()) if usage else ()
    return {
        "service": Cell(plain(service.name)),
        "state": _state(service, verbs),
        "port": Cell(plain(shown.ports(service))),
        "cpu": Cell(figures.share(usage and usage.cpu)),
        "memory": Cell(figures.amount(usage and usage.memory)),
        "last minute": Cell(figures.curve([point.cpu for point in points], CURVE_CELLS), "cyan"),
        "uptime": Cell(figures.age(service.uptime_s)),
        "restarts": Cell(str(service.restarts), "yellow" if service.restarts else ""),
        "shield": Cell(plain(service.shield), shown.SHIELD_STYLES.get(service.shield, "dim")),
        "url": Cell(plain(service.url or figures.NOTHING)),
    }


def _state(service: ServiceSnapshot, verbs: Sequence[str]) -> Cell:
    sign, style = figures.state("FATAL" if service.failed else service.state)
    asked = "".join(f" {verb}{BUSY}" for verb in verbs)
    return Cell(f"{sign} {plain(service.state)}{asked}", style)


def summary(look: Look) -> str:
    """One line about all of them."""
    services = [service for seen in look.instances for service in seen.snapshot.services]
    parts = [_count(len(look.instances), "instance"), _count(len(services), "service")]
    if services:
        parts.append(f"{sum(service.is_up for service in services)} up")
    failed = sum(service.failed for service in services)
    silent = sum(_is_silent(seen.snapshot) for seen in look.instances)
    parts += [f"{failed} failed"] if failed else []
    parts += [f"{silent} not answering"] if silent else []
    if look.usage:
        parts.append(f"CPU {figures.share(sum(usage.cpu or 0.0 for usage in look.usage.values()))}")
        parts.append(f"memory {figures.amount(sum(usage.memory for usage in look.usage.values()))}")
    return ", ".join(parts)


def _is_silent(instance: InstanceSnapshot) -> bool:
    return instance.state in ("dead", "suspended", "unreachable")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
