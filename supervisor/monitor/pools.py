"""Pools as rows of cells: one look shows who has which port."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from supervisor import records
from supervisor.control import client
from supervisor.platform import os_facts
from supervisor.records import InstanceRecord, PortRecord
from supervisor.snapshot import InstanceSnapshot

WHO_MAX = 120
"""Characters of a name that is shown: another user's record may have any."""


class CellState(StrEnum):
    FREE = "free"
    OURS = "ours"
    """Claimed by the service whose pool it is."""
    OTHER = "other"
    """Claimed by another service or instance, also one of another user."""
    FOREIGN = "foreign"
    """Not claimed, and somebody listens who was not started by portsup."""
    LEFTOVER = "leftover"
    """Claimed by an instance whose supervisor is dead."""


class Cell(NamedTuple):
    port: int
    state: CellState
    who: str | None
    """"qwen-valencia 2 · api-server" of a claimed one; None where nobody is known."""


class Strip(NamedTuple):
    """One pool of one service, in the order in which its ports are tried."""

    instance_id: str
    service: str
    pool: str
    cells: tuple[Cell, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "instance_id": self.instance_id,
            "service": self.service,
            "pool": self.pool,
            "cells": [{"port": cell.port, "state": cell.state.value, "who": cell.who} for cell in self.cells],
        }


def strips(folder: Path, instances: Sequence[InstanceSnapshot]) -> list[Strip]:
    """Of every pool of `instances`; `folder` is the lock folder. Looks at records and at the kernel's table
    of listeners once for all, and binds nothing. Raises OSError without a descriptor to be had."""
    wanted = {
        port
        for instance in instances
        for service in instance.services
        for ports in service.pools.values()
        for port in ports
    }
    if not wanted:
        return []
    look = _Look(folder, wanted)
    return [strip for instance in instances for strip in look.strips(instance)]


class _Claim(NamedTuple):
    record: PortRecord
    is_dead: bool


class _Look:
    """At who has which ports."""

    def __init__(self, folder: Path, ports: Collection[int]) -> None:
        self._folder = folder
        self._claims = _claims(folder, ports)
        self._heard = {listener.port for listener in os_facts.listeners(ports)}

    def strips(self, instance: InstanceSnapshot) -> list[Strip]:
        if not instance.services:
            return []
        holder = _holder(self._folder, instance)
        return [
            Strip(
                instance.instance_id,
                service.name,
                pool,
                tuple(self._cell(port, holder, service.name, pool) for port in ports),
            )
            for service in instance.services
            for pool, ports in service.pools.items()
        ]

    def _cell(self, port: int, holder: InstanceRecord | None, service: str, pool: str) -> Cell:
        claim = self._claims.get(port)
        if claim is None:
            return Cell(port, CellState.FOREIGN if port in self._heard else CellState.FREE, None)
        if claim.is_dead:
            state = CellState.LEFTOVER
        elif _is_of(claim.record, holder, service, pool):
            state = CellState.OURS
        else:
            state = CellState.OTHER
        return Cell(port, state, _who(claim.record))


def _is_of(record: PortRecord, holder: InstanceRecord | None, service: str, pool: str) -> bool:
    return holder is not None and record.is_of(holder) and (record.service, record.pool) == (service, pool)


def _holder(folder: Path, instance: InstanceSnapshot) -> InstanceRecord | None:
    """The record of `instance`, which tells whose it is; None where it is gone."""
    found = records.read(records.instance_file(folder, instance.base_port))
    if isinstance(found, InstanceRecord) and found.instance_id == instance.instance_id:
        return found
    return None


def _claims(folder: Path, ports: Collection[int]) -> dict[int, _Claim]:
    """By port. The name of a lock file decides which port it is about, whatever the record in it says."""
    names = _names(folder)
    dead: dict[tuple[object, ...], bool] = {}
    found = {}
    for port in ports:
        path = records.port_file(folder, port)
        record = records.read(path) if path.name in names else None
        if isinstance(record, PortRecord) and record.port == port:
            found[port] = _Claim(record, _is_dead(record, dead))
    return found


def _names(folder: Path) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))  # noqa: PTH208 - may hold thousands
    except OSError:
        return frozenset()


def _is_dead(record: PortRecord, known: dict[tuple[object, ...], bool]) -> bool:
    """Looked up once for each supervisor."""
    key = record.supervisor, record.boot_id, record.pidns
    if key not in known:
        known[key] = client.is_dead(record)
    return known[key]


def _who(record: PortRecord) -> str:
    text = f"{record.stack} {record.instance} · {record.service}"
    shown = "".join(char if char.isprintable() else "?" for char in text[:WHO_MAX])
    return shown if len(text) <= WHO_MAX else shown[:-1] + "…"
