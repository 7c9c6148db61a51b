"""The instances on this machine: the records in the lock folder, and what their supervisors say.

Anyone may write into the lock folder, so a record may name any stack, socket or process: whatever it
says, the others are listed all the same. Imports leaves and control.client only.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from supervisor import records
from supervisor.control import client
from supervisor.control.client import Client
from supervisor.errors import PortsupError
from supervisor.records import InstanceRecord
from supervisor.snapshot import InstanceSnapshot

TIMEOUT = 2.0
"""Seconds in which all instances together must have answered."""


def instances(
    folder: Path, *, config: Path | None = None, include_dead: bool = False
) -> list[InstanceRecord]:
    """The records of all running instances, or of those of one services.toml, by stack and number.

    Of one services.toml are only those whose users may speak for it.
    """
    found = list(records.instance_records(folder))
    if config is not None:
        wanted = str(config.parent.resolve() / config.name)  # a link to a folder is the same worktree
        found = [record for record in found if record.config == wanted and may_speak(record)]
    if not include_dead:
        found = [record for record in found if not client.is_dead(record)]
    return sorted(found, key=lambda record: (record.stack, record.instance, record.instance_id))


def may_speak(record: InstanceRecord) -> bool:
    """Whether the services.toml that it names is its user's, or the instance this user's own.

    Else anybody's record could pass for an instance of our worktree, and give our shell its variables.
    """
    return record.uid in (os.geteuid(), _owner_of(record.config))


def _owner_of(config: str) -> int | None:
    """Of the folder, where the file was deleted. None where that can't be seen."""
    for path in (config, os.path.dirname(config)):  # noqa: PTH120 - a record's text
        try:
            return os.stat(path).st_uid  # noqa: PTH116
        except FileNotFoundError:
            continue
        except (OSError, ValueError):
            return None
    return None


def snapshots(
    folder: Path, config: Path | None = None, include_dead: bool = False, *, timeout: float = TIMEOUT
) -> list[InstanceSnapshot]:
    """All running instances as they are now, each asked at the same time as the others."""
    asked = instances(folder, config=config, include_dead=include_dead)
    seen = snapshots_of(asked, timeout=timeout)
    return seen if include_dead else [one for one in seen if one.state != "dead"]


def snapshots_of(asked: Sequence[InstanceRecord], *, timeout: float = TIMEOUT) -> list[InstanceSnapshot]:
    """One snapshot for each record, in their order; `client.absent` for those that don't answer."""
    answers = ask_all(asked, "snapshot", timeout=timeout)
    return [_snapshot(record, answer) for record, answer in zip(asked, answers, strict=True)]


def ask_all(asked: Sequence[InstanceRecord], method: str, *, timeout: float = TIMEOUT) -> list[Any]:
    """Call `method` (without params) on every instance; a PortsupError in place of a result that it
    has none of.

    All requests are out before the first answer is read, so that the supervisors work at the same
    time, and no thread or selector is needed: the kernel keeps their answers. Connecting doesn't
    wait, and a frozen supervisor costs `timeout` seconds once, however many there are.
    """
    deadline = time.monotonic() + timeout
    with ExitStack() as opened:
        pending = [_ask(record, method, opened) for record in asked]
        return [_answer(one, deadline) for one in pending]


def _ask(record: InstanceRecord, method: str, opened: ExitStack) -> tuple[Client, int] | PortsupError:
    try:
        connection = opened.enter_context(Client(record))
        return connection, connection.ask(method, {})
    except PortsupError as failure:
        return failure


def _answer(pending: tuple[Client, int] | PortsupError, deadline: float) -> Any:
    if isinstance(pending, PortsupError):
        return pending
    connection, id_ = pending
    try:
        return connection.answer(id_, deadline)
    except PortsupError as failure:
        return failure


def _snapshot(record: InstanceRecord, answer: Any) -> InstanceSnapshot:
    if isinstance(answer, PortsupError):
        return client.absent(record)
    try:
        return client.read_snapshot(record, answer)
    except PortsupError:
        return client.absent(record)
