"""Records as bytes: what goes in comes out, and nothing else is taken for one."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from claims import instance_record, port_record
from harness import no_descriptors
from hypothesis import given
from hypothesis import strategies as st

from supervisor import records
from supervisor.platform.contract import Owner
from supervisor.records import Record, decode, encode, port_file, read


@pytest.mark.parametrize(
    "record",
    [instance_record(), port_record(6000), port_record(6000, child=Owner(7, 8))],
    ids=["instance", "port", "port with child"],
)
def test_there_and_back(record: Record) -> None:
    """A record survives being written and read."""
    assert decode(encode(record)) == record


@given(st.binary(max_size=200))
def test_garbage_is_no_record(data: bytes) -> None:
    """Whatever stands in a file, reading it raises nothing."""
    assert decode(data) is None


@pytest.mark.parametrize("length", [1, 20, 100, -2])
def test_a_torn_record_is_none(length: int) -> None:
    """A beginning alone says nothing."""
    assert decode(encode(port_record(6000))[:length]) is None


def test_the_end_of_a_longer_record_is_passed_over() -> None:
    """A writer that was killed before it cut the file off has committed all the same."""
    new, old = port_record(6000), encode(port_record(6000, child=Owner(7, 8)))
    assert len(encode(new)) < len(old)
    assert decode(encode(new) + old[len(encode(new)) :]) == new


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schema", 2),
        ("kind", "other"),
        ("port", "6000"),
        ("instance", True),
        ("stack", 7),
        ("instance_id", None),
        ("acquired_at", "now"),
        ("acquired_at", float("nan")),
        ("acquired_at", float("-inf")),
        ("acquired_at", 10**400),
        ("supervisor", {"pid": float("inf"), "started": 1}),
        ("supervisor", {"pid": 1, "started": float("-inf")}),
        ("supervisor", {"pid": 1, "started": 10**400}),
        ("supervisor", None),
        ("supervisor", {"pid": 0, "started": 1}),
        ("supervisor", {"pid": 2**31, "started": 1}),
        ("supervisor", {"pid": "x", "started": 1}),
        ("child", {"pid": 1}),
        ("child", 5),
        ("extra", 1),
    ],
)
def test_a_wrong_field_spoils_it(field: str, value: Any) -> None:
    """Anybody may write into the lock folder: a record of wrong types is none."""
    fields = json.loads(encode(port_record(6000)))
    assert decode(json.dumps({**fields, field: value}).encode()) is None


@pytest.mark.parametrize("field", ["schema", "kind", "supervisor", "child", "port", "boot_id"])
def test_a_missing_field_spoils_it(field: str) -> None:
    """Each field is needed."""
    fields = json.loads(encode(port_record(6000)))
    del fields[field]
    assert decode(json.dumps(fields).encode()) is None


def test_nobody_speaks_for_another_user(tmp_path: Path) -> None:
    """A record that says it is another user's than its file is none."""
    own, forged = port_file(tmp_path, 6000), port_file(tmp_path, 6001)
    own.write_bytes(encode(port_record(6000)))
    forged.write_bytes(encode(port_record(6001, uid=os.getuid() + 1)))
    assert [read(path) is None for path in (own, forged)] == [False, True]


def test_without_descriptors_nobody_knows(tmp_path: Path) -> None:
    """A folder that can't be opened isn't taken for a machine on which nothing runs; a missing one is."""
    record = instance_record()
    records.instance_file(tmp_path, 6000).write_bytes(encode(record))
    with no_descriptors():
        for listed in (records.instance_records, records.port_records):
            with pytest.raises(OSError, match="Too many open files"):
                list(listed(tmp_path))
    assert list(records.instance_records(tmp_path)) == [record]
    assert list(records.instance_records(tmp_path / "nowhere")) == []
