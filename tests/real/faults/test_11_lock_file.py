"""Fault 11: lock file deleted, replaced, truncated, filled with garbage, made unreadable.

Shield lost or record rewritten, never two holders, never a traceback.
"""

from __future__ import annotations

import json
import shutil
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from harness import CHILDREN, WAITS, WITHOUT_ROOTS_RIGHTS, Home, Portsup, wait_until, write_stack

from supervisor import records

LISTENS = [sys.executable, "-I", "-S", str(CHILDREN / "listen.py")]


def replace(path: Path) -> None:
    copy = path.with_suffix(".copy")
    copy.write_bytes(path.read_bytes())
    copy.rename(path)


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "deleted": (Path.unlink, "the lock file was deleted"),
    "replaced": (replace, "the lock file was replaced"),
    "truncated": (lambda path: path.write_bytes(b""), "its record was overwritten"),
    "garbage": (lambda path: path.write_bytes(b"\0\xffgarbage{" * 1000), "its record was overwritten"),
    "unreadable": (lambda path: path.chmod(0), ""),
}
"""What is done to the file, and what is said of a shield that is lost by it."""

LOST = [name for name in DAMAGE if name != "unreadable"]


@pytest.fixture
def rival(portsup_home: Home, tmp_path: Path) -> Iterator[Portsup]:
    """Another project on the same machine, whose user is bound by the modes of files."""
    folder = tmp_path / "rival"
    folder.mkdir()
    command = Portsup(portsup_home, folder, WITHOUT_ROOTS_RIGHTS)
    yield command
    command.close()


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that gets no time: what happens meanwhile comes before its next look."""
    process = psutil.Process(pid)
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def wants(rival: Portsup, number: int, ports: dict[str, int]) -> Path:
    """A worktree whose services want just these ports, with a base port of its own."""
    folder = rival.cwd / str(number)
    folder.mkdir()
    services = {name: {"command": LISTENS, "pool": {"ports": [port]}} for name, port in ports.items()}
    write_stack(folder, services, base_port=min(ports.values()) // 1000 * 1000 + 100 * number, name="rival")
    return folder


def instances(user: Portsup, worktree: Path, number: int) -> list[dict[str, Any]]:
    """What `status` knows, be it nothing."""
    done = user.run("status", "-i", str(number), "--json", cwd=worktree)
    return list(json.loads(done.stdout)["instances"]) if done.returncode == 0 else []


def test_a_port(portsup: Portsup, portsup_home: Home, ports_block: int, rival: Portsup) -> None:
    """A rival never gets the port while its child lives, and gets it once the shield is lost."""
    ports = {name: ports_block + 10 * i for i, name in enumerate(DAMAGE)}
    services = {
        name: {"command": LISTENS, "pool": {"offset": 10 * i, "size": 1}, "ready": {"tcp": True}}
        for i, name in enumerate(DAMAGE)
    }
    write_stack(portsup.cwd, services, base_port=ports_block)
    running = portsup.up("-i", "1")
    instance = portsup.wait_for_services(1)
    children = {service["name"]: service["pid"] for service in instance["services"]}
    with stopped(instance["supervisor"]["pid"]):
        for name, (damage, _) in DAMAGE.items():
            damage(records.port_file(portsup_home.locks, ports[name]))
        racing = {
            name: rival.start("up", "-i", "1", "-d", cwd=wants(rival, number, {name: port}))
            for number, (name, port) in enumerate(ports.items(), 1)
        }
        for name, racer in racing.items():
            assert racer.wait() == 69, name
            assert f"no free port for {name} in {ports[name]}" in racer.stderr
            assert "Traceback" not in racer.stderr
    for name in LOST:
        lost = portsup.wait_for_service(1, name, "FATAL")
        assert (lost["shield"], lost["ports"]) == ("lost", {})
        assert DAMAGE[name][1] in lost["reason"] and DAMAGE[name][1] in running.stderr
        assert not psutil.pid_exists(children[name])
    lock = records.port_file(portsup_home.locks, ports["unreadable"])
    assert stat.S_IMODE(lock.stat().st_mode) == 0o644 and records.read(lock) is not None
    spared = portsup.service(1, "unreadable")
    assert (spared["state"], spared["shield"], spared["pid"]) == ("RUNNING", "up", children["unreadable"])

    free = {name: ports[name] for name in LOST if name != "replaced"}  # the copy still names us, who live
    assert rival.run("up", "-i", "1", "-d", cwd=wants(rival, 9, free)).returncode == 0
    for name in LOST:
        refused = portsup.run("start", name)
        assert refused.returncode == 69
        assert ("rival instance 1" in refused.stderr) is (name != "replaced")
    assert rival.run("down", cwd=rival.cwd / "9").returncode == 0
    assert "Traceback" not in running.stderr and "internal error" not in running.stderr
    running.process.terminate()
    assert running.wait() == 143
    assert portsup_home.lock_files() == [f"port-{ports['replaced']}.lock.json"]  # not ours to remove
    assert portsup.run("up", "-i", "1", "--wait").returncode == 0


def test_rotation(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """on_lost = "rotate": another port of the pool, or the end with the reason where there is none."""
    common = {"command": LISTENS, "on_lost": "rotate", "ready": {"tcp": True}}
    services: dict[str, Any] = {
        "two": {**common, "pool": {"offset": 0, "size": 2}},
        "one": {**common, "pool": {"offset": 10, "size": 1}},
        "user": {"command": WAITS, "env": {"TWO": "${two.url}"}},
    }
    write_stack(portsup.cwd, services, base_port=ports_block)
    running = portsup.up("-i", "1")
    portsup.wait_for_services(1)
    for port in (ports_block, ports_block + 10):
        records.port_file(portsup_home.locks, port).unlink()
    wait_until(lambda: "FATAL: shield lost, and no free port for one" in running.stderr, 15)
    wait_until(lambda: portsup.service(1, "user")["restarts"] == 1, 15, "the restart of who names the port")
    two = portsup.wait_for_service(1, "two", "RUNNING")
    assert (two["port"], two["shield"]) == (ports_block + 1, "up")
    user = portsup.wait_for_service(1, "user", "RUNNING")
    assert psutil.Process(user["pid"]).environ()["TWO"] == f"http://127.0.0.1:{ports_block + 1}"
    running.process.terminate()
    assert running.wait() == 143
    assert portsup_home.lock_files() == []


def test_a_port_of_a_service_that_was_not_started(
    portsup: Portsup, portsup_home: Home, ports_block: int
) -> None:
    """`start` claims it anew: nobody runs on a port that others can claim."""
    pools = {"web": {"pool": {"offset": 0, "size": 1}}, "docs": {"pool": {"offset": 10, "size": 1}}}
    write_stack(portsup.cwd, pools, base_port=ports_block)
    assert portsup.run("up", "-i", "1", "--wait", "web").returncode == 0
    lock = records.port_file(portsup_home.locks, ports_block + 10)
    lock.unlink()
    wait_until(lambda: portsup.service(1, "docs")["shield"] == "lost", 10)
    assert portsup.run("start", "docs").returncode == 0
    assert portsup.service(1, "docs")["shield"] == "up"
    assert lock.exists()


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_the_number_is_lost(portsup: Portsup, portsup_home: Home, ports_block: int, how: str) -> None:
    """Somebody else could be the same instance now: this one stops, with all its children, and says why."""
    damage, problem = DAMAGE[how]
    write_stack(portsup.cwd, {"web": {"pool": {"offset": 0, "size": 1}}}, base_port=ports_block)
    running = portsup.up("-i", "1")
    portsup.wait_for_services(1)
    lock = records.instance_file(portsup_home.locks, ports_block)
    damage(lock)
    assert running.wait() == 1
    assert f"{problem}: others can claim our number now" in running.stderr
    assert portsup_home.children() == []
    assert portsup_home.lock_files() == ([lock.name] if how == "replaced" else [])
    assert portsup.run("up", "-i", "1", "--wait").returncode == 0


def test_the_folder_is_removed(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """Ports and number can be claimed by others now: the instance ends, and says why."""
    write_stack(portsup.cwd, {"web": {"pool": {"offset": 0, "size": 2}}}, base_port=ports_block)
    running = portsup.up("-i", "1")
    portsup.wait_for_services(1)
    shutil.rmtree(portsup_home.locks)
    assert running.wait() == 1
    assert "the lock file was deleted" in running.stderr and "Traceback" not in running.stderr
    assert portsup_home.children() == []


def test_the_record_is_rewritten(
    portsup: Portsup, portsup_home: Home, ports_block: int, rival: Portsup
) -> None:
    """What stands in it is no loss while the lock is ours: others find the instance again."""
    damaged = ["truncated", "garbage", "unreadable"]
    write_stack(portsup.cwd, {"web": {"pool": {"offset": 0, "size": 1}}}, base_port=ports_block)
    write_stack(rival.cwd, {"web": {"pool": {"offset": 50, "size": 1}}}, base_port=ports_block, name="rival")
    assert portsup.run("up", "-i", "1", "--count", "3", "--wait").returncode == 0
    for number, how in enumerate(damaged, 1):
        before = portsup.instance(number)
        lock = records.instance_file(portsup_home.locks, ports_block + 100 * (number - 1))
        with stopped(before["supervisor"]["pid"]):
            DAMAGE[how][0](lock)
            refused = rival.run("up", "-i", str(number))
            assert refused.returncode == 75 and f"instance {number} is taken" in refused.stderr
        seen = wait_until(partial(instances, rival, portsup.cwd, number), 10, f"the one whose lock was {how}")
        assert [one["instance_id"] for one in seen] == [before["instance_id"]]
    assert portsup.run("down", "--all").returncode == 0
    assert portsup_home.lock_files() == []
