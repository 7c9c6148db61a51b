"""What stands in the lock folder, for everyone who only looks.

A lock file holds a record of who claimed what. Readers never take the lock: they read the file and
tolerate one that is torn, foreign or gone. Taking and giving back is `ports/lock.py`. Leaf.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from supervisor.errors import NO_DESCRIPTORS
from supervisor.platform.contract import Owner

SCHEMA = 1
MAX_BYTES = 65536
"""A record is well below 4 KiB; whatever is longer than this is not ours and isn't read to its end."""

PID_MAX = 2**31 - 1
"""What pid_t can carry."""

NUMBER_MAX = 2**63
"""Anything above is nobody's number, and may be too large to reckon with."""


def _worktree(record: Holder) -> str:
    return os.path.dirname(record.config)  # noqa: PTH120 - a record's text, not a path to be opened


def _is_of(record: Holder, other: Holder) -> bool:
    """Whether both are the same instance's: another user's file may name any."""
    return (record.uid, record.instance_id) == (other.uid, other.instance_id)


# What both records have stands twice. A dataclass could inherit it, but importing `dataclasses` and making
# three of them is an eighth of the time until a supervisor starts its first service.


class PortRecord(NamedTuple):
    """The record of one claimed port."""

    stack: str
    config: str
    """Absolute path of services.toml; its folder is the worktree."""
    instance: int
    instance_id: str
    supervisor: Owner
    uid: int
    boot_id: str
    pidns: str
    netns: str
    acquired_at: float
    """Unix time in seconds, for people; nothing is decided by it."""
    port: int
    pool: str
    service: str
    child: Owner | None

    @property
    def worktree(self) -> str:
        return _worktree(self)

    def is_of(self, other: Holder) -> bool:
        return _is_of(self, other)


class InstanceRecord(NamedTuple):
    """The record of one instance number; these files are the registry of running instances."""

    stack: str
    config: str
    """Absolute path of services.toml; its folder is the worktree."""
    instance: int
    instance_id: str
    supervisor: Owner
    uid: int
    boot_id: str
    pidns: str
    netns: str
    acquired_at: float
    """Unix time in seconds, for people; nothing is decided by it."""
    base_port: int
    socket: str
    logs: str

    @property
    def worktree(self) -> str:
        return _worktree(self)

    def is_of(self, other: Holder) -> bool:
        return _is_of(self, other)


Holder = PortRecord | InstanceRecord
"""Who holds a lock."""

Record = Holder


def port_file(folder: Path, port: int) -> Path:
    return folder / f"port-{port}.lock.json"


def instance_file(folder: Path, base_port: int) -> Path:
    return folder / f"instance-{base_port}.lock.json"


def encode(record: Record) -> bytes:
    kind = "port" if isinstance(record, PortRecord) else "instance"
    return json.dumps({"schema": SCHEMA, "kind": kind, **to_json(record)}).encode() + b"\n"


def to_json(record: Record) -> dict[str, Any]:
    """Its fields, as JSON knows them."""
    return {
        name: value._asdict() if isinstance(value, Owner) else value
        for name, value in record._asdict().items()
    }


def decode(data: bytes) -> Record | None:
    """The record in `data`, or None if that is torn, foreign or of another schema."""
    try:
        # Its first line: the end of a longer one may follow, whose writer was killed before it cut that off.
        fields = json.loads(data.partition(b"\n")[0])
        if not isinstance(fields, dict) or fields.pop("schema") != SCHEMA:
            return None
        kind = fields.pop("kind")
        fields["supervisor"] = _owner(fields["supervisor"])
        if kind == "port":
            fields["child"] = None if fields["child"] is None else _owner(fields["child"])
            return PortRecord(**_typed(fields))
        return InstanceRecord(**_typed(fields)) if kind == "instance" else None
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None


def _owner(fields: dict[str, Any]) -> Owner:
    """Raises ValueError for what can't be a pid: it will be handed to the kernel."""
    owner = Owner(int(fields["pid"]), int(fields["started"]))
    if not 0 < owner.pid <= PID_MAX or not 0 <= owner.started < NUMBER_MAX:
        raise ValueError("no process has that pid and start")
    return owner


_NUMBERS = frozenset({"instance", "uid", "port", "base_port"})


def _typed(fields: dict[str, Any]) -> dict[str, Any]:
    """`fields`, if each has its type and numbers are finite: anybody may write into the lock folder.

    Raises TypeError or ValueError.
    """
    for name, value in fields.items():
        wanted: Any = int if name in _NUMBERS else str
        if name in ("supervisor", "child"):
            wanted = Owner | None
        elif name == "acquired_at":
            wanted = int | float
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise TypeError(f"{name} is a {type(value).__name__}")
        if isinstance(value, int | float) and not 0 <= value < NUMBER_MAX:
            raise ValueError(f"{name} is out of range")
    return fields


def read(path: Path) -> Record | None:
    """The record at `path`, or None if there is no readable file with one, or it isn't its writer's own."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        record = decode(os.read(descriptor, MAX_BYTES))
        # Whoever writes a file owns it: nobody speaks for another user.
        return record if record and record.uid == os.fstat(descriptor).st_uid else None
    except OSError:
        return None
    finally:
        os.close(descriptor)


def port_records(folder: Path) -> Iterator[PortRecord]:
    """Raises OSError without a descriptor to be had."""
    for path in _files(folder, "port"):
        record = read(path)
        if isinstance(record, PortRecord):
            yield record


def instance_records(folder: Path) -> Iterator[InstanceRecord]:
    """The registry: every instance on the machine that has a record, dead supervisors' too. Raises OSError
    without a descriptor to be had: that says nothing of who is there."""
    for path in _files(folder, "instance"):
        record = read(path)
        if isinstance(record, InstanceRecord):
            yield record


def _files(folder: Path, kind: str) -> list[Path]:
    """Not by `glob`: from Python 3.12 on, it takes a folder that can't be opened for one without files."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - may hold thousands
    except OSError as error:
        if error.errno in NO_DESCRIPTORS:
            raise
        return []
    found = (name for name in names if name.startswith(f"{kind}-") and name.endswith(".lock.json"))
    return [folder / name for name in sorted(found)]
