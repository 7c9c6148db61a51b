"""Guard and supervisor killed at once: what stays of an instance, and what `prune` makes of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from claims import CLAIMER, dead_owner, instance_record
from harness import Home, Portsup, kill_both, write_stack

from supervisor import paths
from supervisor.records import encode, instance_file

pytestmark = pytest.mark.slow

NOTIFIES = """
import os, signal, socket
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
    out.connect(os.environ["NOTIFY_SOCKET"])
    out.send(b"READY=1")
signal.pause()
"""
PYTHON = (sys.executable, "-I", "-S", "-c")


def sockets(home: Home) -> list[str]:
    return sorted(path.name for path in home.folder.rglob("*.sock"))


@pytest.mark.parametrize("name", ["web", "w" * 60])
def test_nothing_is_left_after_prune(name: str, portsup: Portsup, ports_block: int, tmp_path: Path) -> None:
    """Processes, lock files and sockets, also a service's own whose name is too long for the kernel."""
    services = {
        "api": {"pool": {"offset": 0, "size": 1}},
        name: {"command": [*PYTHON, NOTIFIES], "ready": {"notify": True}},
    }
    write_stack(tmp_path, services, base_port=ports_block, name="crashed")
    running = portsup.up("-i", "1")
    instance = portsup.wait_for_services(1)
    told = portsup.ask("why", str(ports_block))
    assert told["holding"] == "held" and [one["of_holder"] for one in told["listeners"]] == [True]
    kill_both(running.process.pid, instance["supervisor"]["pid"])
    assert len(sockets(portsup.home)) == 2
    assert portsup.ask("why", str(ports_block))["holding"] == "leftover"
    dry = portsup.ask("prune", "--dry-run")["leftovers"]
    assert [one["kind"] for one in dry].count("socket") == 2
    assert portsup.run("prune").returncode == 0
    assert (sockets(portsup.home), portsup.home.lock_files(), portsup.home.children()) == ([], [], [])
    assert portsup.ask("why", str(ports_block))["holding"] == "free"


def test_another_instances_sockets_stay(portsup: Portsup, ports_block: int, tmp_path: Path) -> None:
    """Also where its name begins with a dead instance's."""
    services = {"web": {"command": [*PYTHON, NOTIFIES], "ready": {"notify": True}}}
    write_stack(tmp_path, services, base_port=ports_block, name="a-1-abc")
    portsup.up("-i", "1")
    portsup.wait_for_services(1)
    before = sockets(portsup.home)
    assert len(before) == 2
    socket = paths.runtime_folder() / "a-1.sock"
    record = instance_record(supervisor=dead_owner(), instance_id="a-1", socket=str(socket))
    instance_file(portsup.home.locks, 1).write_bytes(encode(record))
    assert [one["kind"] for one in portsup.ask("prune")["leftovers"]] == ["file"]
    assert sockets(portsup.home) == before


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs a pid namespace")
def test_a_container_that_shares_the_folder(portsup: Portsup, ports_block: int) -> None:
    """Its pids mean nothing here: what it holds is held, until it is gone for good, and is never pruned."""
    home = portsup.home
    command = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", sys.executable, str(CLAIMER)]
    with subprocess.Popen(
        [*command, str(home.locks), "1", f'{{"api": [{ports_block}]}}'],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as container:
        assert container.stdin is not None and container.stdout is not None
        try:
            assert container.stdout.readline() == '"ready"\n'
            container.stdin.write("claim\n")
            container.stdin.flush()
            assert container.stdout.readline() == f"[{ports_block}]\n"
            told = portsup.ask("why", str(ports_block))
            assert told["holding"] == "held" and "of another pid namespace" in told["line"]
            assert told["locked"] and told["hint"].endswith("in /work/test, in its own pid namespace")
            assert portsup.ask("prune")["leftovers"] == []
        finally:
            container.kill()
    told = portsup.ask("why", str(ports_block))
    assert told["holding"] == "held" and not told["locked"], "that it is gone can't be seen"
    assert told["hint"] == f"if its pid namespace is gone for good, remove {told['file']}"
    assert portsup.ask("prune")["leftovers"] == []
