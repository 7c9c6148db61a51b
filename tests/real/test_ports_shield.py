"""The shield: two looks that agree, on real files and real listeners."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import pytest
from claims import instance_record, plan
from harness import foreigner, wait_until

from supervisor.clock import MonotonicClock
from supervisor.config.model import ShieldMode
from supervisor.platform import os_facts
from supervisor.ports.listening import listen
from supervisor.ports.lock import LockFolder
from supervisor.ports.reserve import Reservation, reserve
from supervisor.ports.shield import Finding, Shield, by_port, elsewhere


@pytest.fixture
def reservation(tmp_path: Path, ports_block: int) -> Iterator[Reservation]:
    folder = LockFolder.open(tmp_path)
    (one,) = reserve(plan({"api": [ports_block]}), instance_record(), folder, MonotonicClock())
    yield one
    one.give_back()
    folder.close()


def nobody() -> Collection[int]:
    return ()


def look(shield: Shield) -> Finding | None:
    return shield.look(by_port(os_facts.listeners()))


def lost(shield: Shield) -> str:
    """The second look in a row is the one that says so; the third says nothing more."""
    assert look(shield) is None and shield.state == "up"
    finding = look(shield)
    assert finding is not None and finding.lost and shield.state == "lost"
    assert look(shield) is None and shield.state == "lost"
    return finding.message


def test_up_while_nobody_listens(reservation: Reservation) -> None:
    """Nothing to find."""
    shield = Shield(reservation, ShieldMode.TREE, nobody)
    assert [look(shield) for _ in range(3)] == [None] * 3
    assert shield.state == "up"


def test_up_while_the_tree_listens(reservation: Reservation) -> None:
    """Its tree is asked once for each new socket."""
    asked = 0

    with foreigner(reservation.port, "127.0.0.1", "::1") as child:

        def tree() -> Collection[int]:
            nonlocal asked
            asked += 1
            return (child.pid,)

        shield = Shield(reservation, ShieldMode.TREE, tree)
        assert [look(shield) for _ in range(5)] == [None] * 5
        assert (shield.state, asked) == ("up", 1)


def test_our_own_socket_is_no_stranger(reservation: Reservation) -> None:
    """Bound here to be handed down, before a child has it."""
    reservation.listening = listen(reservation.port)
    shield = Shield(reservation, ShieldMode.TREE, nobody)
    assert look(shield) is None and look(shield) is None and shield.state == "up"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0"])
def test_lost_to_a_foreigner(reservation: Reservation, host: str) -> None:
    """It is named by pid, command and address, and lives on."""
    with foreigner(reservation.port, host) as process:
        message = lost(Shield(reservation, ShieldMode.TREE, nobody))
        assert f"api's port {reservation.port}" in message
        assert f"pid {process.pid} (" in message and f"on {host}" in message
        assert process.poll() is None


def test_lost_beside_the_tree(reservation: Reservation) -> None:
    """The tree's own listener on one address doesn't excuse a foreigner on another."""
    with foreigner(reservation.port) as child, foreigner(reservation.port, "::1") as process:
        assert f"pid {process.pid} (" in lost(Shield(reservation, ShieldMode.TREE, lambda: (child.pid,)))


def test_one_look_is_not_enough(reservation: Reservation) -> None:
    """Somebody who is gone by the next look costs nothing."""
    shield = Shield(reservation, ShieldMode.TREE, nobody)
    for _ in range(3):
        with foreigner(reservation.port):
            assert look(shield) is None
        wait_until(lambda: not os_facts.listeners({reservation.port}), 5, "its end")
        assert look(shield) is None
    assert shield.state == "up"


def test_a_tree_that_comes_late(reservation: Reservation) -> None:
    """A worker that wasn't in the tree at the first look but is at the second is ours."""
    tree: list[int] = []
    shield = Shield(reservation, ShieldMode.TREE, lambda: tree)
    with foreigner(reservation.port) as child:
        assert look(shield) is None
        tree.append(child.pid)
        assert look(shield) is None and look(shield) is None and shield.state == "up"


def test_an_owner_that_can_not_be_read_is_a_warning(reservation: Reservation) -> None:
    """Said once, after two looks, and the shield stays up."""
    shield = Shield(reservation, ShieldMode.TREE, nobody)
    with unowned_listener(reservation.port):
        assert look(shield) is None
        warning = look(shield)
        assert warning is not None and not warning.lost and "can't be read" in warning.message
        assert [look(shield) for _ in range(3)] == [None] * 3
    assert shield.state == "up"


@contextlib.contextmanager
def unowned_listener(port: int) -> Iterator[None]:
    """A listener that is in no process's table: its descriptor is under way in a Unix socket."""
    here, there = socket.socketpair()
    with here, there:
        server = socket.create_server(("127.0.0.1", port))
        socket.send_fds(here, [b"x"], [server.fileno()])
        server.close()
        yield


@pytest.mark.parametrize(
    ("damage", "words"),
    [(Path.unlink, "deleted"), (lambda path: path.write_bytes(b"x"), "overwritten")],
    ids=["deleted", "overwritten"],
)
@pytest.mark.parametrize("mode", [ShieldMode.TREE, ShieldMode.LOCK])
def test_lost_with_the_lock_file(
    reservation: Reservation, mode: ShieldMode, damage: Callable[[Path], object], words: str
) -> None:
    """What happened to which file is said."""
    damage(reservation.lock.path)
    message = lost(Shield(reservation, mode, nobody))
    assert words in message and str(reservation.lock.path) in message


def test_an_unchanged_table_excuses_nobody(reservation: Reservation) -> None:
    """The very same table in each look: a stranger is found in the second, and so is what was done to the
    lock file behind a tree that was cleared."""
    with foreigner(reservation.port) as process:
        table = by_port(os_facts.listeners())
        strange = Shield(reservation, ShieldMode.TREE, nobody)
        assert strange.look(table) is None and strange.look(table) is not None
        ours = Shield(reservation, ShieldMode.TREE, lambda: (process.pid,))
        assert [ours.look(table) for _ in range(3)] == [None] * 3
        reservation.lock.path.unlink()
        assert ours.look(table) is None and ours.look(table) is not None


def test_mode_lock_looks_at_the_lock_alone(reservation: Reservation) -> None:
    """A proxy outside the tree may listen there."""
    shield = Shield(reservation, ShieldMode.LOCK, nobody)
    with foreigner(reservation.port):
        assert look(shield) is None and look(shield) is None and shield.state == "up"


def test_mode_off_looks_at_nothing(reservation: Reservation) -> None:
    """Not even a deleted file is found."""
    shield = Shield(reservation, ShieldMode.OFF, nobody)
    reservation.lock.path.unlink()
    assert look(shield) is None and look(shield) is None and shield.state == "off"


def test_listening_elsewhere(ports_block: int) -> None:
    """The ports of a tree that aren't its own; other processes' ports don't count."""
    with foreigner(ports_block) as child, foreigner(ports_block + 1, "::1") as other:
        listeners = os_facts.listeners()
        assert elsewhere((child.pid,), listeners, ()) == (ports_block,)
        assert elsewhere((child.pid,), listeners, (ports_block,)) == ()
        both = (child.pid, other.pid)
        assert elsewhere(both, listeners, (ports_block,)) == (ports_block + 1,)
        assert elsewhere((os.getpid(),), listeners, ()) == ()
