"""A port on which portsup listens itself: the claim, the hand-over, and who may come in."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from claims import files, instance_record, open_descriptors, plan
from harness import foreigner, is_bindable

from supervisor.clock import MonotonicClock
from supervisor.errors import NoFreePort, OutOfResources
from supervisor.platform import os_facts
from supervisor.ports.listening import Listening, listen
from supervisor.ports.lock import INHERITED_FD_MIN, LockFolder
from supervisor.ports.reserve import reserve

CLOCK = MonotonicClock()

EVERY_ADDRESS = ("127.0.0.1", "0.0.0.0")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[LockFolder]:
    opened = LockFolder.open(tmp_path / "locks")
    yield opened
    opened.close()


def joins(port: int, address: str) -> bool:
    """Whether somebody who shares its port with whoever else does can listen there too."""
    with socket.socket() as newcomer:
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            newcomer.setsockopt(socket.SOL_SOCKET, option, 1)
        try:
            newcomer.bind((address, port))
            newcomer.listen()
        except OSError as error:
            assert error.errno == errno.EADDRINUSE
            return False
        return True


def connect(port: int, stack: contextlib.ExitStack) -> socket.socket:
    return stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))


def waiting(descriptor: int) -> int:
    with socket.socket(fileno=os.dup(descriptor)) as copy:
        return os_facts.waiting_connections(copy)


def test_it_listens_out_of_the_way(listening: Listening, ports_block: int) -> None:
    """On 127.0.0.1 alone, under a number that no child uses, close-on-exec, and blocking."""
    assert [(found.address, found.port) for found in os_facts.listeners((ports_block,))] == [
        ("127.0.0.1", ports_block)
    ]
    assert listening.fd >= INHERITED_FD_MIN
    assert fcntl.fcntl(listening.fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    assert os.get_blocking(listening.fd)


def test_a_port_in_use(ports_block: int) -> None:
    """None, and nothing stays open."""
    with foreigner(ports_block):
        before = open_descriptors()
        assert listen(ports_block) is None
        assert open_descriptors() == before


@pytest.mark.parametrize("address", EVERY_ADDRESS)
def test_nobody_else_gets_in(listening: Listening, ports_block: int, address: str) -> None:
    """Neither before a hand-over nor after it, also not with SO_REUSEPORT; and again after a second one."""
    for _ in range(2):
        assert not joins(ports_block, address)
        assert listening.relieve()
        listening.renew()
    assert not joins(ports_block, address)


def test_who_joins_during_a_hand_over_gets_nothing(listening: Listening, ports_block: int) -> None:
    """All connections still go to the socket of the next child."""
    with contextlib.ExitStack() as stack:
        assert listening.relieve()
        newcomer = stack.enter_context(socket.socket())
        newcomer.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        newcomer.bind(("127.0.0.1", ports_block))
        newcomer.listen()
        for _ in range(50):
            connect(ports_block, stack)
        assert os_facts.waiting_connections(newcomer) == 0
        assert waiting(listening.fd) == 50


def test_a_hand_over(listening: Listening, ports_block: int) -> None:
    """What waits stays with the old socket until it is accepted, and all that comes goes to the new one."""
    with contextlib.ExitStack() as stack:
        old = stack.enter_context(socket.socket(fileno=os.dup(listening.fd)))
        for _ in range(3):
            connect(ports_block, stack)
        assert listening.waiting == 3
        assert listening.relieve()
        for _ in range(40):
            connect(ports_block, stack)
        assert (os_facts.waiting_connections(old), waiting(listening.fd)) == (3, 40)
        assert listening.waiting == 3
        for _ in range(3):
            stack.enter_context(old.accept()[0])
        assert listening.waiting == 0
        listening.renew()
        assert listening.fd >= INHERITED_FD_MIN
        connect(ports_block, stack)
        assert waiting(listening.fd) == listening.waiting == 41
        with pytest.raises(OSError):
            old.accept()  # also for whoever kept a copy


def test_what_a_child_did_to_the_socket_is_undone(listening: Listening, ports_block: int) -> None:
    """Its O_NONBLOCK and its short queue are of the open file, and so ours too."""
    with contextlib.ExitStack() as stack:
        child = stack.enter_context(socket.socket(fileno=os.dup(listening.fd)))
        child.setblocking(False)
        child.listen(1)
        listening.renew()
        assert os.get_blocking(listening.fd)
        for _ in range(20):
            connect(ports_block, stack)
        assert waiting(listening.fd) == 20


@pytest.mark.parametrize("none_at_all", [True, False])
def test_no_descriptor_for_a_hand_over(listening: Listening, ports_block: int, none_at_all: bool) -> None:
    """Then there is none, and the port is as it was; also if the second socket listens already when a number
    out of a child's way lacks."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    before, descriptor = open_descriptors(), listening.fd
    resource.setrlimit(resource.RLIMIT_NOFILE, (0 if none_at_all else descriptor + 1, hard))
    try:
        relieved = listening.relieve()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert not relieved
    assert (open_descriptors(), listening.fd) == (before, descriptor)
    assert not joins(ports_block, "127.0.0.1")


def test_closed_for_everybody(listening: Listening, ports_block: int) -> None:
    """Also somebody who inherited a copy, or a socket that was relieved, doesn't keep the port."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(socket.socket(fileno=os.dup(listening.fd)))
        assert listening.relieve()
        stack.enter_context(socket.socket(fileno=os.dup(listening.fd)))
        listening.close()
        listening.close()
        assert os_facts.listeners((ports_block,)) == []
        assert is_bindable(ports_block)


def test_a_claim_listens(folder: LockFolder, ports_block: int) -> None:
    """From the claim until it is given back; the pool's next port where somebody is in the way."""
    with foreigner(ports_block):
        wanted = plan({"a": [ports_block, ports_block + 1]}, listen=True)
        (one,) = reserve(wanted, instance_record(), folder, CLOCK)
    try:
        assert one.port == ports_block + 1
        assert [found.port for found in os_facts.listeners((one.port,))] == [one.port]
    finally:
        one.give_back()
    assert os_facts.listeners((one.port,)) == []
    assert is_bindable(one.port)
    assert files(folder.path) == []
    one.give_back()


def test_all_or_none(folder: LockFolder, ports_block: int) -> None:
    """A claim that fails leaves no socket behind."""
    wanted = plan({"a": [ports_block], "b": [ports_block + 1]}, listen=True)
    before = open_descriptors()
    with foreigner(ports_block + 1), pytest.raises(NoFreePort):
        reserve(wanted, instance_record(), folder, CLOCK)
    assert is_bindable(ports_block)
    assert files(folder.path) == []
    assert open_descriptors() == before


def test_no_descriptor_for_the_socket(folder: LockFolder, ports_block: int) -> None:
    """Said as such, and nothing stays locked."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    (one,) = reserve(plan({"a": [ports_block]}, listen=True), instance_record(), folder, CLOCK)
    one.give_back()  # all is imported now
    # Room for the lock and the probe; the socket that listens needs a number from INHERITED_FD_MIN on.
    spare = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, INHERITED_FD_MIN)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (spare + 2, hard))
        with pytest.raises(OutOfResources, match=f"cannot look at port {ports_block}"):
            reserve(plan({"a": [ports_block]}, listen=True), instance_record(), folder, CLOCK)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        os.close(spare)
    assert is_bindable(ports_block)
    assert files(folder.path) == []
