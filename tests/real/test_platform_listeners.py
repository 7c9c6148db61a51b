"""The kernel's table of listeners, by netlink and by /proc."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator

import pytest
from harness import foreigner, wait_until

from supervisor.platform import os_facts, sockdiag
from supervisor.platform.contract import Listener, ListenerTable

FAMILIES = {
    "127.0.0.1": socket.AF_INET,
    "0.0.0.0": socket.AF_INET,
    "::1": socket.AF_INET6,
    "::": socket.AF_INET6,
}


@contextlib.contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    with socket.create_server((host, port), family=FAMILIES[host]) as server:
        yield server


@pytest.mark.parametrize("host", FAMILIES)
@pytest.mark.parametrize("table", [sockdiag.by_netlink, sockdiag.by_proc])
def test_both_ways_tell_the_same(ports_block: int, host: str, table: object) -> None:
    """Address, port, inode and uid of a listener, whichever way the kernel is asked."""
    assert callable(table)
    with listening(host, ports_block) as server:
        inode = os.fstat(server.fileno()).st_ino
        assert Listener(host, ports_block, inode, os.geteuid()) in list(table())


def test_only_those_who_listen_are_listed(ports_block: int) -> None:
    """Neither a bound socket nor a connection is a listener, and other ports aren't asked for."""
    one, two, three = ports_block, ports_block + 1, ports_block + 2
    with listening("127.0.0.1", one) as server, listening("127.0.0.1", two), socket.socket() as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", three))
        with socket.create_connection(("127.0.0.1", one)), server.accept()[0]:
            found = os_facts.listeners({one, three})
            assert [(listener.address, listener.port) for listener in found] == [("127.0.0.1", one)]


def test_its_inode_leads_to_its_process(ports_block: int) -> None:
    """The inode in the table is the one among the process's descriptors."""
    with foreigner(ports_block) as process:
        (listener,) = os_facts.listeners({ports_block})
        assert listener.inode in os_facts.open_sockets(process.pid)
        assert listener.inode not in os_facts.open_sockets(os.getpid())


def test_a_long_answer_is_read_to_its_end(ports_block: int) -> None:
    """300 listeners don't fit into one message."""
    with contextlib.ExitStack() as stack:
        wanted = set(range(ports_block, ports_block + 300))
        for port in wanted:
            stack.enter_context(listening("127.0.0.1", port))
        assert {listener.port for listener in os_facts.listeners(wanted)} == wanted
    wait_until(lambda: not os_facts.listeners(wanted), 5, "their end")


@contextlib.contextmanager
def table_of(ports: range) -> Iterator[ListenerTable]:
    with contextlib.closing(os_facts.listener_table(ports)) as table:
        yield table


def test_a_table_tells_what_changed(ports_block: int) -> None:
    """The very same object while the listeners are the same ones, whoever waits in their queues."""
    one, two = ports_block, ports_block + 1
    with table_of(range(one, two + 1)) as table:
        assert list(table.read()) == []
        with listening("127.0.0.1", one), listening("::1", two) as other:
            found = table.read()
            assert {(listener.address, listener.port) for listener in found} == {
                ("127.0.0.1", one),
                ("::1", two),
            }
            assert table.read() is found
            with socket.create_connection(("127.0.0.1", one)):
                assert table.read() is found
            other.close()
            assert [listener.port for listener in table.read()] == [one]
        assert list(table.read()) == []


def test_a_table_is_of_its_own_ports(ports_block: int) -> None:
    """Neither the port before the first nor the one behind the last."""
    inner = range(ports_block + 1, ports_block + 3)
    with contextlib.ExitStack() as stack:
        for port in range(ports_block, ports_block + 4):
            stack.enter_context(listening("127.0.0.1", port))
        table = stack.enter_context(table_of(inner))
        assert {listener.port for listener in table.read()} == set(inner)


def test_a_table_of_many_datagrams(ports_block: int) -> None:
    """Read to its end when it is new, when it is known, and when only a part of it has changed."""
    with contextlib.ExitStack() as stack:
        for port in range(ports_block, ports_block + 600):
            stack.enter_context(listening("127.0.0.1", port))
        table = stack.enter_context(table_of(range(ports_block, ports_block + 1000)))
        found = table.read()
        assert len(found) == 600 and table.read() is found
        with listening("127.0.0.1", ports_block + 600):
            assert len(table.read()) == 601
        assert len(table.read()) == 600


def test_a_table_outlives_a_broken_socket(ports_block: int) -> None:
    """What can't be asked of netlink is read from /proc, and netlink is tried anew the next time."""
    with (
        contextlib.closing(sockdiag.Table(range(ports_block, ports_block + 1))) as table,
        listening("127.0.0.1", ports_block),
        listening("127.0.0.1", ports_block + 1),
    ):
        found = table.read()
        broken = table._netlink
        assert broken is not None
        broken.close()
        assert table.read() is found
        assert table.read() is found and table._netlink not in (None, broken)


def unheard(port: int, young: float = 60.0) -> int:
    return sockdiag.unheard(port, young)


def test_connections_that_nobody_has_read_from(ports_block: int) -> None:
    """Accepted, and nothing came for a while or what came isn't read; neither those in the queue, nor of
    another port."""
    with listening("127.0.0.1", ports_block) as server, contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(socket.create_connection(("127.0.0.1", ports_block))) for _ in range(3)
        ]
        clients[0].sendall(b"?")
        assert unheard(ports_block) == 0
        first, _ = (stack.enter_context(server.accept()[0]) for _ in range(2))
        assert unheard(ports_block) == os_facts.unheard_connections(ports_block, 60.0) == 2
        first.recv(1)
        assert unheard(ports_block) == 1
        assert wait_until(lambda: unheard(ports_block, 0.01) == 0, 5)  # it isn't new any more
        clients[0].sendall(b"?")
        assert unheard(ports_block) == 2
        assert unheard(ports_block, 0.01) == 1
        assert unheard(ports_block - 1) == unheard(ports_block + 1) == 0
