"""A survivor is told also while it forks and exits, again and again."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from claims import Claimer, claimers, dead_owner, files, port_record

from supervisor.platform import os_facts
from supervisor.platform.contract import Owner
from supervisor.ports.liveness import survivors
from supervisor.ports.lock import Busy, take
from supervisor.ports.prune import prune
from supervisor.records import PortRecord, encode, port_file, read

LOOKS = 30
ROUNDS = 20

HOPPER = """
import os, select
print("ready", flush=True)
while not select.select([0], [], [], 0.002)[0]:
    if os.fork():
        os._exit(0)
"""
"""A new pid every few milliseconds, until its stdin ends."""


@contextlib.contextmanager
def hopper(unit: str | None = None) -> Iterator[Owner]:
    """The first process of its session; it is gone soon, its session isn't."""
    read_end, write_end = os.pipe()
    told_end, tell_end = os.pipe()
    environ = {"PORTSUP_UNIT": unit} if unit else {}
    command = [sys.executable, "-I", "-S", "-c", HOPPER]
    leader = subprocess.Popen(command, stdin=read_end, stdout=tell_end, env=environ, start_new_session=True)
    first = os_facts.process(leader.pid)  # it may be a zombie already
    os.close(read_end)
    os.close(tell_end)
    try:
        assert os.read(told_end, 10) == b"ready\n"
        assert first is not None
        leader.wait()
        yield first.owner
    finally:
        os.close(write_end)
        assert os.read(told_end, 1) == b"", "the last one has ended"
        os.close(told_end)


@pytest.mark.parametrize("by", ["marker", "session"])
def test_who_forks_all_the_time_is_told(by: str) -> None:
    """In every look: /proc is a list that is old when it is read."""
    with hopper("gone-1/api" if by == "marker" else None) as leader:
        for _ in range(LOOKS):
            assert survivors("gone-1", () if by == "marker" else (leader,))
        assert not survivors("another-1")


def test_its_port_is_not_given_out(tmp_path: Path, ports_block: int) -> None:
    """The lock is free, nobody listens, and a process that was given the port lives."""
    path = port_file(tmp_path, ports_block)
    path.write_bytes(encode(port_record(ports_block, supervisor=dead_owner(), instance_id="gone-1")))
    with hopper("gone-1/api"):
        for _ in range(LOOKS):
            found = take(path)
            assert isinstance(found, Busy) and found.reason == "survivors"


@pytest.mark.slow
def test_claimers_race_with_prune(tmp_path: Path, ports_block: int) -> None:
    """For a stale file: one of two gets the port, and prune removes nothing of it."""
    path = port_file(tmp_path, ports_block)
    with claimers(tmp_path, [{"api": [ports_block]}] * 2) as racers:
        for _ in range(ROUNDS):
            path.write_bytes(encode(port_record(ports_block, supervisor=dead_owner(), instance_id="gone-1")))
            for racer in racers:
                racer.tell("claim")
            prune(tmp_path)
            answers = [racer.answer() for racer in racers]
            (winner,) = [racer for racer, won in zip(racers, answers, strict=True) if won == [ports_block]]
            assert holder(path) == winner.process.pid, answers
            prune(tmp_path)
            assert holder(path) == winner.process.pid
            release(winner)
            assert files(tmp_path) == []


def holder(path: Path) -> int:
    record = read(path)
    assert isinstance(record, PortRecord)
    return record.supervisor.pid


def release(claimer: Claimer) -> None:
    assert claimer.ask("release") == "released"
