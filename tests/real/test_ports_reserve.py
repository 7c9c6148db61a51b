"""Claims for a whole instance: in the pool's order, all or none, and who is in the way."""

from __future__ import annotations

import errno
import os
import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from claims import claimers, dead_owner, files, instance_record, plan, pool, port_record
from harness import foreigner, wait_until

from supervisor import records
from supervisor.clock import MonotonicClock
from supervisor.errors import InstanceTaken, NoFreePort, PortsupError
from supervisor.platform import os_facts
from supervisor.platform.contract import Owner
from supervisor.ports.lock import HeldLock, LockFolder, take
from supervisor.ports.reserve import Reservation, claim_instance, reserve, reserve_again
from supervisor.records import InstanceRecord, encode, port_file

CLOCK = MonotonicClock()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[LockFolder]:
    opened = LockFolder.open(tmp_path / "locks")
    yield opened
    opened.close()


@pytest.fixture
def instance() -> InstanceRecord:
    return instance_record()


def give_back(reservations: list[Reservation]) -> None:
    for reservation in reservations:
        reservation.lock.give_back()


def test_the_first_free_port_of_each_pool(
    folder: LockFolder, instance: InstanceRecord, ports_block: int
) -> None:
    """In the plan's order, with a record that tells it all."""
    first = ports_block
    found = reserve(plan({"b": [first + 5, first + 6], "a": [first]}), instance, folder, CLOCK)
    assert [(one.service, one.port) for one in found] == [("b", first + 5), ("a", first)]
    record = records.read(port_file(folder.path, first))
    assert record == found[1].record
    assert isinstance(record, records.PortRecord)
    assert (record.service, record.pool, record.child) == ("a", "port", None)
    assert all(one.claim_seconds > 0 for one in found)
    give_back(found)
    assert files(folder.path) == []


def test_the_child_is_named(folder: LockFolder, instance: InstanceRecord, ports_block: int) -> None:
    """The record says who runs on the port now, and the lock stays intact."""
    (one,) = reserve(plan({"a": [ports_block]}), instance, folder, CLOCK)
    one.name_child(Owner(7, 8))
    record = records.read(one.lock.path)
    assert isinstance(record, records.PortRecord) and record.child == Owner(7, 8)
    assert one.record == record and one.lock.intact() is None
    give_back([one])


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0"])
def test_a_foreigner_is_walked_around(
    folder: LockFolder, instance: InstanceRecord, ports_block: int, host: str
) -> None:
    """The pool's next port is taken, nothing stays locked where the foreigner is."""
    with foreigner(ports_block, host) as process:
        (one,) = reserve(plan({"a": [ports_block, ports_block + 1]}), instance, folder, CLOCK)
        assert one.port == ports_block + 1
        assert files(folder.path) == [one.lock.path.name]
        give_back([one])
        assert process.poll() is None


def test_all_taken_by_foreigners(folder: LockFolder, instance: InstanceRecord, ports_block: int) -> None:
    """Each is named with pid and command, none is touched, and nothing is left locked."""
    first = ports_block
    with foreigner(first) as one, foreigner(first + 1, "::1") as two:
        started = time.monotonic()
        with pytest.raises(NoFreePort) as caught:
            reserve(plan({"free": [first + 9], "a": [first, first + 1]}), instance, folder, CLOCK)
        assert time.monotonic() - started < 1
        assert caught.value.message == f"no free port for a in {first}-{first + 1}"
        details = caught.value.details
        assert details[0].startswith(f"{first}  not portsup's: pid {one.pid} (") and "127.0.0.1" in details[0]
        assert details[1].startswith(f"{first + 1}  not portsup's: pid {two.pid} (") and "::1" in details[1]
        assert "end it yourself" in str(caught.value.hint)
        assert one.poll() is None and two.poll() is None
    assert files(folder.path) == []


def test_all_taken_by_other_instances(folder: LockFolder, ports_block: int) -> None:
    """Each holder is named with instance, service, worktree, pid and age; the hint ends one."""
    ports = [ports_block, ports_block + 1]
    with claimers(folder.path, [{"api": ports}, {"api": ports}]) as others:
        claimed = [other.ask("claim") for other in others]
        assert claimed == [[ports[0]], [ports[1]]]
        with pytest.raises(NoFreePort) as caught:
            reserve(plan({"api": ports}), instance_record(instance=3), folder, CLOCK)
        for port, other, number, line in zip(ports, others, (1, 2), caught.value.details, strict=True):
            assert line.startswith(f"{port}  test instance {number} (api) in /work/test, ")
            assert f"pid {other.process.pid}, for " in line
        assert caught.value.hint == "run `portsup down -i 1` in /work/test"
        assert len(files(folder.path)) == 2


def test_a_bound_socket_that_does_not_listen(
    folder: LockFolder, instance: InstanceRecord, ports_block: int
) -> None:
    """In the way all the same, and said so."""
    port = ports_block + 777  # no other test connects there: without SO_REUSEADDR TIME_WAIT counts
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", port))
        with pytest.raises(NoFreePort) as caught:
            reserve(plan({"a": [port]}), instance, folder, CLOCK)
    assert "nobody listens, but it can't be bound" in caught.value.details[0]


def test_a_full_disk_leaves_nothing(folder: LockFolder, instance: InstanceRecord, ports_block: int) -> None:
    """The claim fails with the reason, and no half-made file stays."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with pytest.raises(PortsupError, match=os.strerror(errno.EFBIG)):
            reserve(plan({"a": [ports_block], "b": [ports_block + 1]}), instance, folder, CLOCK)
        with pytest.raises(PortsupError, match=os.strerror(errno.EFBIG)):
            claim_instance(folder, instance)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert files(folder.path) == []


def test_a_holder_that_is_just_releasing_is_waited_for(
    folder: LockFolder, instance: InstanceRecord, ports_block: int
) -> None:
    """An empty locked file counts as full only after a while."""
    lock = take(port_file(folder.path, ports_block))
    assert isinstance(lock, HeldLock)
    started = time.monotonic()
    with pytest.raises(NoFreePort) as caught:
        reserve(plan({"a": [ports_block]}), instance, folder, CLOCK)
    assert 0.1 < time.monotonic() - started < 2
    assert "being claimed by another portsup" in caught.value.details[0]
    lock.give_back()


def test_claiming_again(folder: LockFolder, instance: InstanceRecord, ports_block: int) -> None:
    """The preferred port first, the avoided one never."""
    one, two, three = ports_block, ports_block + 1, ports_block + 2
    wanted = pool(one, two, three)
    found = [
        reserve_again("a", wanted, instance, folder, CLOCK, prefer=three),
        reserve_again("a", wanted, instance, folder, CLOCK, prefer=three, avoid=one),
    ]
    assert [reservation.port for reservation in found] == [three, two]
    with pytest.raises(NoFreePort, match=f"{two}-{three}"):
        reserve_again("a", wanted, instance, folder, CLOCK, avoid=one)
    give_back(found)
    with pytest.raises(NoFreePort):
        reserve_again("a", pool(one), instance, folder, CLOCK, avoid=one)


def test_the_instance_number(folder: LockFolder) -> None:
    """One holds it; the other is told by whom, and ways out."""
    with claimers(folder.path, [{}]) as (other,):
        assert other.ask("instance") == 1
        with pytest.raises(InstanceTaken) as caught:
            claim_instance(folder, instance_record(config="/work/elsewhere/services.toml"))
        assert caught.value.message == "instance 1 is taken"
        assert f"test instance 1 in /work/test, pid {other.process.pid}, for " in caught.value.details[0]
        assert "-i auto" in str(caught.value.hint)
        with pytest.raises(InstanceTaken, match="base port 6000 belongs to another project"):
            claim_instance(folder, instance_record(stack="other", config="/work/other/services.toml"))
        with pytest.raises(InstanceTaken, match="instance 1 of this worktree is already up") as own:
            claim_instance(folder, instance_record())
        assert own.value.details == caught.value.details
        assert "`portsup status -i 1`" in str(own.value.hint)
    claim = claim_instance(folder, instance_record())
    assert records.read(claim.lock.path) == claim.record
    claim.lock.give_back()
    assert files(folder.path) == []


def test_a_supervisor_that_is_being_cleaned_up_is_waited_for(
    folder: LockFolder, instance: InstanceRecord, ports_block: int
) -> None:
    """Killed, its tree holds the lock for a moment longer: no refusal while the guard is at work."""
    path = port_file(folder.path, ports_block)
    lock = take(path)
    assert isinstance(lock, HeldLock)
    lock.write(port_record(ports_block, supervisor=dead_owner(), instance_id="dead-9"))
    pid = os.fork()
    if pid == 0:
        try:
            time.sleep(0.05)  # the time a guard takes; the fork's copy of the lock goes with it
        finally:
            os._exit(0)
    lock.close()
    try:
        (one,) = reserve(plan({"a": [ports_block]}), instance, folder, CLOCK)
    finally:
        os.waitpid(pid, 0)
    give_back([one])


def test_survivors_are_named(folder: LockFolder, instance: InstanceRecord, ports_block: int) -> None:
    """A port whose supervisor and guard are dead isn't given out while a child lives there."""
    with claimers(folder.path, [{"api": [ports_block]}]) as (other,):
        assert other.ask("claim") == [ports_block]
        child = other.ask("spawn keep")
        other.kill()
        try:
            with pytest.raises(NoFreePort) as caught:
                reserve(plan({"a": [ports_block]}), instance, folder, CLOCK)
            assert f"pid {child} of its instance lives" in caught.value.details[0]
            assert caught.value.hint == "run `portsup prune`"
        finally:
            os.kill(child, 9)
        wait_until(lambda: os_facts.owner(child) is None, 5, "its end")
        give_back(reserve(plan({"a": [ports_block]}), instance, folder, CLOCK))


def test_a_dirty_instance_number(folder: LockFolder) -> None:
    """The number of a dead supervisor is free again, if nobody of it lives."""
    path = records.instance_file(folder.path, 6000)
    path.write_bytes(encode(instance_record(supervisor=dead_owner(), instance_id="dead-3")))
    claim = claim_instance(folder, instance_record())
    claim.lock.give_back()
