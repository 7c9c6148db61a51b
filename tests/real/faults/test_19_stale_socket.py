"""Fault 19: stale control socket and instance record of a dead supervisor.

Recognised and replaced; `up` works.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest
from harness import Home, Portsup, kill_both, wait_until, write_stack

from supervisor import records

NOTIFIES = [
    sys.executable,
    "-I",
    "-S",
    "-c",
    """
import os, signal, socket
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
signal.pause()
""",
]


@pytest.fixture
def stale(portsup: Portsup, portsup_home: Home, ports_block: int) -> records.InstanceRecord:
    """The record of an instance of which nothing lives any more; its socket still lies there."""
    services = {
        "web": {"pool": {"offset": 0, "size": 1}},
        "job": {"command": NOTIFIES, "ready": {"notify": True}},
    }
    write_stack(portsup.cwd, services, base_port=ports_block)
    running = portsup.up("-i", "1")
    supervisor = portsup.wait_for_services(1)["supervisor"]["pid"]
    children = portsup_home.children()
    kill_both(running.process.pid, supervisor)
    for child in children:
        child.send_signal(signal.SIGKILL)
    wait_until(lambda: not portsup_home.processes(), 10)
    record = records.read(records.instance_file(portsup_home.locks, ports_block))
    assert isinstance(record, records.InstanceRecord)
    assert len(sockets(portsup_home)) == 2, "the instance's and its job's"
    return record


def sockets(home: Home) -> list[Path]:
    return list((home.folder / "run").rglob("*.sock"))


def test_recognised(portsup: Portsup, stale: records.InstanceRecord) -> None:
    """No command takes it for a running instance, waits for it or breaks."""
    (instance,) = portsup.ask("status")["instances"]
    assert (instance["instance_id"], instance["state"]) == (stale.instance_id, "dead")
    for command in (["down"], ["restart", "web"], ["env"]):
        refused = portsup.run(*command)
        assert refused.returncode == 1
        assert f"its supervisor (pid {stale.supervisor.pid}) is dead" in refused.stderr
        assert "portsup prune" in refused.stderr


@pytest.mark.parametrize("arguments", [("-i", "1"), ()])
def test_replaced(
    portsup: Portsup, portsup_home: Home, stale: records.InstanceRecord, arguments: tuple[str, ...]
) -> None:
    """`up` takes number and ports over, and leaves no socket of the dead one behind."""
    assert portsup.run("up", *arguments, "--wait").returncode == 0
    instance = portsup.instance(1)
    assert instance["instance_id"] != stale.instance_id
    assert instance["state"] == "running"
    assert all(path.name.startswith(instance["instance_id"]) for path in sockets(portsup_home))
    assert portsup.run("down").returncode == 0
    assert portsup_home.lock_files() == []
    assert sockets(portsup_home) == []


def test_pruned(portsup: Portsup, portsup_home: Home, stale: records.InstanceRecord) -> None:
    """`prune` removes records and sockets alike."""
    pruned = portsup.run("prune")
    assert pruned.returncode == 0
    assert f"removed: {stale.socket}" in pruned.stdout
    assert portsup_home.lock_files() == []
    assert sockets(portsup_home) == []
