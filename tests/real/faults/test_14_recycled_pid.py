"""Fault 14: a recycled pid in a stale record.

Never signalled.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from harness import CHILDREN, Home, Portsup, write_stack

from supervisor import records
from supervisor.platform import Owner, os_facts
from supervisor.records import InstanceRecord, PortRecord

COMMANDS = (
    ("status", "--all"),
    ("ps",),
    ("why", "{port}"),
    ("logs",),
    ("down", "-i", "1"),
    ("down", "--all"),
    ("stop", "web"),
    ("prune", "--dry-run"),
    ("prune",),
    ("up", "-i", "1", "--wait"),
)
"""Each finds the stale records in its way."""


class Bystander:
    """A process with a child, both in a session that is named by its pid; they note what they are sent."""

    def __init__(self, notes: Path) -> None:
        command = [sys.executable, "-I", "-S", str(CHILDREN / "notes_signals.py"), str(notes)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, start_new_session=True
        )
        self.notes = notes

    def wait_until_ready(self) -> None:
        assert self.process.stdout is not None and self.process.stdout.readline() == b"ready\n"
        self.all = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children()]
        assert len(self.all) == 2

    @property
    def before(self) -> Owner:
        """Who had its pid once, as a record names it."""
        now = os_facts.owner(self.process.pid)
        assert now is not None
        return Owner(now.pid, now.started - 1)

    @property
    def is_untouched(self) -> bool:
        living = all(one.is_running() and one.status() == psutil.STATUS_SLEEPING for one in self.all)
        return living and self.notes.read_text() == ""

    def close(self) -> None:
        with self.process:
            os.killpg(self.process.pid, signal.SIGKILL)


@pytest.fixture
def bystanders(tmp_path: Path) -> Iterator[list[Bystander]]:
    """One that got a supervisor's pid, and one that got a child's."""
    started = [Bystander(tmp_path / f"signals-{i}") for i in range(2)]
    try:
        for one in started:
            one.wait_until_ready()
        yield started
    finally:
        for one in started:
            one.close()


def test_nobody_is_signalled(
    portsup: Portsup, portsup_home: Home, ports_block: int, bystanders: list[Bystander]
) -> None:
    """By no command, neither while the stale records lie there nor when they are taken over or cleared."""
    write_stack(portsup.cwd, {"web": {"pool": {"offset": 0, "size": 1}}}, base_port=ports_block)
    assert portsup.run("up", "-i", "1", "--wait").returncode == 0
    files = [
        records.instance_file(portsup_home.locks, ports_block),
        records.port_file(portsup_home.locks, ports_block),
    ]
    instance, port = map(records.read, files)
    assert isinstance(instance, InstanceRecord) and isinstance(port, PortRecord)
    assert portsup.run("down").returncode == 0 and portsup_home.lock_files() == []
    supervisor, child = (one.before for one in bystanders)
    stale: list[records.Record] = [
        instance._replace(supervisor=supervisor),
        port._replace(supervisor=supervisor, child=child),
    ]

    def run(*command: str) -> None:
        done = portsup.run(*command)
        assert "Traceback" not in done.stderr
        assert all(one.is_untouched for one in bystanders), (command, done.stderr)

    for command in COMMANDS:
        for file, record in zip(files, stale, strict=True):
            file.write_bytes(records.encode(record))
        run(*(word.format(port=ports_block) for word in command))
    assert portsup.service(1, "web")["state"] == "RUNNING"  # the last one took the records over
    run("restart", "web")
    run("down")
    assert portsup_home.lock_files() == []
