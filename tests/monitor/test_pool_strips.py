"""Pools as rows of cells, over a lock folder with all kinds of records."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from claims import NOBODY, dead_owner, instance_record, needs_root, port_record
from harness import foreigner
from monitor_help import instance, service

from supervisor import records
from supervisor.monitor import pools
from supervisor.monitor.pools import Cell, CellState, strips
from supervisor.records import PortRecord
from supervisor.snapshot import InstanceSnapshot

ID = "test-1-abc123"


@pytest.fixture
def base(tmp_path: Path, ports_block: int) -> int:
    """The base port of an instance of this process, which has a record."""
    mine = instance_record(base_port=ports_block, instance_id=ID)
    records.instance_file(tmp_path, ports_block).write_bytes(records.encode(mine))
    return ports_block


def claim(folder: Path, port: int, **fields: Any) -> Path:
    """A lock file with the record of `port`; `fields` differ from one of web's of this process's instance."""
    record = port_record(port, instance_id=ID)._replace(service="web")._replace(**fields)
    path = records.port_file(folder, port)
    path.write_bytes(records.encode(record))
    return path


def snapshot(base: int, *ports: int, **fields: Any) -> InstanceSnapshot:
    return instance(service("web", pools={"port": ports}), base_port=base, **fields)


def cells(folder: Path, seen: InstanceSnapshot) -> tuple[Cell, ...]:
    (strip,) = strips(folder, [seen])
    assert (strip.instance_id, strip.service, strip.pool) == (ID, "web", "port")
    return strip.cells


def state(folder: Path, base: int, port: int) -> CellState:
    (cell,) = cells(folder, snapshot(base, port))
    return cell.state


def test_every_kind_of_cell(tmp_path: Path, base: int) -> None:
    """In the order in which the ports are tried, with who has claimed each."""
    ours, other, foreign, leftover, free = (base + place for place in (4, 3, 2, 1, 0))
    claim(tmp_path, ours)
    claim(tmp_path, other, instance_id="x-2-abcdef", stack="x", instance=2, service="db")
    claim(tmp_path, leftover, supervisor=dead_owner(), instance_id="old-1-000000")
    with foreigner(foreign):
        found = cells(tmp_path, snapshot(base, ours, other, foreign, leftover, free))
    assert found == (
        Cell(ours, CellState.OURS, "test 1 · web"),
        Cell(other, CellState.OTHER, "x 2 · db"),
        Cell(foreign, CellState.FOREIGN, None),
        Cell(leftover, CellState.LEFTOVER, "test 1 · web"),
        Cell(free, CellState.FREE, None),
    )
    (strip,) = strips(tmp_path, [snapshot(base, free)])
    assert json.loads(json.dumps(strip.to_json())) == {
        "instance_id": ID,
        "service": "web",
        "pool": "port",
        "cells": [{"port": free, "state": "free", "who": None}],
    }


@pytest.mark.parametrize(
    "fields", [{"service": "db"}, {"pool": "metrics"}, {"instance_id": "test-1-another"}], ids=str
)
def test_ours_only_if_all_of_it_fits(tmp_path: Path, base: int, fields: dict[str, Any]) -> None:
    """Another service of the same instance is another's too."""
    claim(tmp_path, base)
    assert state(tmp_path, base, base) is CellState.OURS
    claim(tmp_path, base, **fields)
    assert state(tmp_path, base, base) is CellState.OTHER


@needs_root
def test_another_user_may_write_what_he_likes(tmp_path: Path, base: int) -> None:
    """A record with our instance's id is not ours, and one of a file that isn't its writer's is none."""
    path = claim(tmp_path, base, uid=NOBODY)
    assert state(tmp_path, base, base) is CellState.FREE
    os.chown(path, NOBODY, -1)
    assert state(tmp_path, base, base) is CellState.OTHER


def test_a_claimed_port_is_claimed_whoever_listens(tmp_path: Path, base: int) -> None:
    """It is the shield's business who that is."""
    claim(tmp_path, base)
    with foreigner(base):
        assert state(tmp_path, base, base) is CellState.OURS


def test_whatever_lies_in_the_folder(tmp_path: Path, base: int) -> None:
    """The name of a file decides which port it is about; what can't be read is no claim."""
    claim(tmp_path, base + 1).rename(records.port_file(tmp_path, base))
    records.port_file(tmp_path, base + 2).write_bytes(b'{"schema": 1, "kind": "port"')
    records.port_file(tmp_path, base + 3).mkdir()
    records.port_file(tmp_path, base + 4).symlink_to("nowhere")
    found = cells(tmp_path, snapshot(base, *range(base, base + 5)))
    assert {cell.state for cell in found} == {CellState.FREE}


def test_a_name_is_shown_in_short_and_without_controls(tmp_path: Path, base: int) -> None:
    """Another user's record may hold whatever it likes."""
    claim(tmp_path, base, stack="x\x1b[2J" + "y" * 9999)
    (cell,) = cells(tmp_path, snapshot(base, base))
    assert cell.who is not None and cell.who.isprintable() and len(cell.who) == pools.WHO_MAX


def test_nobody_claims_and_nobody_is_there(tmp_path: Path, base: int) -> None:
    """No folder, no instances, no services, no pools, an instance whose record is gone."""
    assert strips(tmp_path, []) == strips(tmp_path, [instance()]) == []
    assert strips(tmp_path, [instance(service("worker"))]) == []
    assert [cell.state for cell in cells(tmp_path / "nowhere", snapshot(base, base))] == [CellState.FREE]
    claim(tmp_path, base)
    records.instance_file(tmp_path, base).unlink()
    assert state(tmp_path, base, base) is CellState.OTHER


def test_another_instance_took_the_number(tmp_path: Path, base: int) -> None:
    """Since the snapshot was taken: what it has claimed isn't of the one that was."""
    later = instance_record(base_port=base, instance_id="test-1-later1")
    records.instance_file(tmp_path, base).write_bytes(records.encode(later))
    claim(tmp_path, base, instance_id=later.instance_id)
    assert state(tmp_path, base, base) is CellState.OTHER


def test_one_of_another_kind_of_record(tmp_path: Path, base: int) -> None:
    """An instance's record under a port's name is no claim of the port."""
    record = instance_record(base_port=base)
    assert not isinstance(record, PortRecord)
    records.port_file(tmp_path, base).write_bytes(records.encode(record))
    assert state(tmp_path, base, base) is CellState.FREE
