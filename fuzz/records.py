"""A lock file: whatever stands there is a record that can be used, or none."""

from __future__ import annotations

from fuzz.protocol import check_shown
from supervisor.control import client
from supervisor.records import InstanceRecord, Record, decode, encode


def check(data: bytes) -> None:
    record = decode(data)
    if record is not None:
        _check_record(record)


def _check_record(record: Record) -> None:
    assert decode(encode(record)) == record
    assert len({record, record}) == 1
    assert isinstance(record.worktree, str)
    if isinstance(record, InstanceRecord):
        check_shown(client.absent(record))
        assert client.not_running(record, "it is fuzzed").message
