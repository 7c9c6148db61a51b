"""Every instance on the machine, found by its record and asked at the same time as the others."""

from __future__ import annotations

import os
import socket
import time
from contextlib import ExitStack
from pathlib import Path

from harness import Home
from stand_in import Imposter, Instance, Loop, me, publish, record, service

from supervisor import records
from supervisor.control import registry
from supervisor.control.client import Client
from supervisor.errors import NotRunning
from supervisor.platform import Owner

LONG_DEAD = Owner(me().pid, me().started - 1)


def test_no_folder(tmp_path: Path) -> None:
    """Where nothing ever ran, nothing is found."""
    assert registry.instances(tmp_path / "missing") == []
    assert registry.snapshots(tmp_path / "missing") == []


def test_sorted_by_stack_and_number(portsup_home: Home) -> None:
    """The order is a person's: by stack, then by number as a number."""
    folder = portsup_home.folder
    wanted = [("a", 2), ("a", 10), ("b", 1)]
    for port, (stack, instance) in zip((9000, 8000, 7000), wanted, strict=True):
        publish(portsup_home.locks, record(folder, instance, stack=stack, base_port=port))
    assert [(one.stack, one.instance) for one in registry.instances(portsup_home.locks)] == wanted


def test_one_worktree(portsup_home: Home, tmp_path: Path) -> None:
    """With a services.toml only its own instances are meant, also by way of a linked folder."""
    worktree = tmp_path / "worktree"
    worktree.mkdir()
    (tmp_path / "link").symlink_to(worktree)
    mine = record(portsup_home.folder, 1, config=str(worktree / "services.toml"))
    publish(portsup_home.locks, mine, record(portsup_home.folder, 2))
    for folder in (worktree, tmp_path / "link"):
        assert registry.instances(portsup_home.locks, config=folder / "services.toml") == [mine]
    assert registry.instances(portsup_home.locks, config=tmp_path / "services.toml") == []


def test_dead_supervisors_are_left_out(portsup_home: Home) -> None:
    """Records of dead supervisors are shown on request only, and then as dead."""
    folder = portsup_home.folder
    alive, dead = record(folder, 1), record(folder, 2, supervisor=LONG_DEAD)
    publish(portsup_home.locks, alive, dead)
    assert registry.instances(portsup_home.locks) == [alive]
    assert registry.instances(portsup_home.locks, include_dead=True) == [alive, dead]
    assert [one.state for one in registry.snapshots(portsup_home.locks)] == ["unreachable"]
    assert [one.state for one in registry.snapshots(portsup_home.locks, include_dead=True)] == [
        "unreachable",
        "dead",
    ]


def litter(locks: Path) -> None:
    """What else may lie in a folder that everybody can write to."""
    whole = records.encode(record(locks.parent, 50))
    (locks / "instance-1.lock.json").write_bytes(b"")
    (locks / "instance-2.lock.json").write_bytes(whole[:100])
    (locks / "instance-3.lock.json").write_bytes(b"\x00\xff" * 1000)
    (locks / "instance-4.lock.json").symlink_to("/dev/zero")
    (locks / "instance-5.lock.json").mkdir()
    os.mkfifo(locks / "instance-6.lock.json")
    (locks / "instance-7.lock.json").write_bytes(b"[" * 60_000)
    (locks / "instance-8.lock.json").write_bytes(whole.replace(b'"instance": 50', b'"instance": "x"'))
    (locks / "instance-9.lock.json").write_bytes(whole.replace(b'"stack": "test"', b'"stack": null'))
    (locks / "instance-10.lock.json").write_bytes(whole.replace(b'"schema": 1', b'"schema": 2'))
    (locks / "instance-11.lock.json").write_bytes(whole.replace(b'"pid": ', b'"pid": -'))
    (locks / "instance-x.lock.json").write_bytes(b"null")


def test_litter_breaks_nothing(loop: Loop, portsup_home: Home) -> None:
    """Torn, foreign and wrong records, and things that are no files, hide no instance."""
    one = record(portsup_home.folder)
    publish(portsup_home.locks, one)
    litter(portsup_home.locks)
    for number, path in enumerate(("/tmp/a\0b", "/tmp/\ud800", "", "/tmp")):
        publish(portsup_home.locks, record(portsup_home.folder, 60 + number, socket=path, stack="\x1b[2J"))
    loop.serve(Path(one.socket), Instance(one).dispatch)
    found = registry.snapshots(portsup_home.locks, include_dead=True)
    assert [(snapshot.instance, snapshot.state) for snapshot in found] == [
        (60, "unreachable"),
        (61, "unreachable"),
        (62, "unreachable"),
        (63, "unreachable"),
        (1, "running"),
    ]


def test_all_are_asked_at_once(loop: Loop, portsup_home: Home) -> None:
    """Frozen supervisors cost the timeout once, however many there are, and hide nobody who answers."""
    folder = portsup_home.folder
    everyone = [record(folder, number) for number in range(1, 9)]
    publish(portsup_home.locks, *everyone)
    with ExitStack() as imposters:
        for one in everyone[:4]:
            imposters.enter_context(Imposter(one.socket, None))
        for one in everyone[4:]:
            loop.serve(Path(one.socket), Instance(one, (service("api"),)).dispatch)
        began = time.monotonic()
        found = registry.snapshots(portsup_home.locks, timeout=0.5)
        assert 0.4 < time.monotonic() - began < 0.9
    assert [snapshot.state for snapshot in found] == ["unreachable"] * 4 + ["running"] * 4


def test_full_backlog_costs_nothing(loop: Loop, portsup_home: Home) -> None:
    """A supervisor that doesn't even accept takes no time from the others."""
    stuck, fine = record(portsup_home.folder, 1), record(portsup_home.folder, 2)
    publish(portsup_home.locks, stuck, fine)
    loop.serve(Path(fine.socket), Instance(fine).dispatch)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(stuck.socket)
        listener.listen(0)
        with Client(stuck):
            began = time.monotonic()
            found = registry.snapshots(portsup_home.locks, timeout=5)
            assert time.monotonic() - began < 1
    assert [snapshot.state for snapshot in found] == ["unreachable", "running"]


def test_hundred_instances(loop: Loop, portsup_home: Home) -> None:
    """A look at a hundred instances of five services takes less than 300 ms."""
    everyone = [record(portsup_home.folder, number) for number in range(1, 101)]
    publish(portsup_home.locks, *everyone)
    services = tuple(service(f"service-{number}", 6000 + number) for number in range(5))
    for one in everyone:
        loop.serve(Path(one.socket), Instance(one, services).dispatch)
    seconds = []
    for _ in range(5):
        began = time.monotonic()
        found = registry.snapshots(portsup_home.locks)
        seconds.append(time.monotonic() - began)
        assert [snapshot.instance for snapshot in found] == list(range(1, 101))
        assert {snapshot.state for snapshot in found} == {"running"}
    assert min(seconds) < 0.3


def test_answers_larger_than_the_kernel_keeps(loop: Loop, portsup_home: Home) -> None:
    """Nobody waits for ever on an answer that doesn't fit into a socket's buffer."""
    everyone = [record(portsup_home.folder, number) for number in range(1, 6)]
    publish(portsup_home.locks, *everyone)
    services = tuple(service(f"service-{number}", 6000, reason="x" * 10_000) for number in range(100))
    for one in everyone:
        loop.serve(Path(one.socket), Instance(one, services).dispatch)
    found = registry.snapshots(portsup_home.locks)
    assert [len(snapshot.services) for snapshot in found] == [100] * 5


def test_ask_all_keeps_order_and_failures(loop: Loop, portsup_home: Home) -> None:
    """One result or failure for each record, in the order of the records."""
    there, gone = record(portsup_home.folder, 1), record(portsup_home.folder, 2)
    loop.serve(Path(there.socket), Instance(there, timings={"api": {}}).dispatch)
    absent, answer = registry.ask_all([gone, there], "stats")
    assert isinstance(absent, NotRunning)
    assert answer == {"services": {"api": {}}}
