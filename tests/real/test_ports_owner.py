"""Who has a port, in facts and in words."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from claims import another_user, claimers, dead_owner, needs_root, port_record, public_folder
from harness import foreigner, wait_until

from supervisor.config import load
from supervisor.platform import os_facts
from supervisor.ports.liveness import survivors
from supervisor.ports.lock import HeldLock, take
from supervisor.ports.owner import inspect
from supervisor.ports.report import CONFIG_NAME, Holding, PortReport
from supervisor.records import encode, port_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def write_record(folder: Path, port: int, **fields: object) -> Path:
    path = port_file(folder, port)
    path.write_bytes(encode(port_record(port, **fields)))  # type: ignore[arg-type]
    return path


@contextlib.contextmanager
def orphan(folder: Path, port: int, how: str) -> Iterator[int]:
    """The pid of a child that outlived its supervisor, which held `port` in `folder`."""
    with claimers(folder, [{"api": [port]}]) as (supervisor,):
        assert supervisor.ask("claim") == [port]
        pid = supervisor.ask(f"spawn {how}")
        owner = os_facts.owner(pid)
        assert owner is not None
        supervisor.kill()
        try:
            yield pid
        finally:
            os_facts.send_signal(owner, signal.SIGKILL)
            wait_until(lambda: not os_facts.is_alive(owner), 5, "the orphan's end")


def look(folder: Path, port: int, holding: Holding) -> PortReport:
    report = inspect(folder, port)
    assert report.holding is holding, report
    assert report.line().startswith(f"{port}  ") and report.line().isprintable()
    assert report.hint()
    json.dumps(report.to_json())
    return report


def test_free(folder: Path, ports_block: int) -> None:
    """No file, no listener."""
    look(folder, ports_block, Holding.FREE)


@pytest.mark.parametrize("text", [b"", b"garbage"])
def test_a_file_without_a_record_binds_nobody(folder: Path, ports_block: int, text: bytes) -> None:
    """Nobody holds it: the next claimer takes it over."""
    port_file(folder, ports_block).write_bytes(text)
    look(folder, ports_block, Holding.FREE)


def test_held_and_claiming(folder: Path, ports_block: int) -> None:
    """Claiming until the record is there; looking doesn't disturb the holder."""
    lock = take(port_file(folder, ports_block))
    assert isinstance(lock, HeldLock)
    look(folder, ports_block, Holding.CLAIMING)
    lock.write(port_record(ports_block))
    report = look(folder, ports_block, Holding.HELD)
    assert report.line().startswith(
        f"{ports_block}  test instance 1 (api) in /work/test, pid {os.getpid()}, for "
    )
    assert report.hint() == "run `portsup down -i 1` in /work/test"
    assert lock.intact() is None
    lock.give_back()


def test_held_in_another_pid_namespace(folder: Path, ports_block: int) -> None:
    """Not seen is not dead, and the line says why its pid means nothing here."""
    write_record(folder, ports_block, pidns="pid:[1]", supervisor=dead_owner())
    assert "of another pid namespace" in look(folder, ports_block, Holding.HELD).line()


def test_a_file_of_another_name_is_named(folder: Path, ports_block: int) -> None:
    """`down` wouldn't find it by itself, whatever is in its path."""
    me = os_facts.owner(os.getpid())
    write_record(folder, ports_block, supervisor=me, config="/work/my stack/other.toml")
    hint = look(folder, ports_block, Holding.HELD).hint()
    assert hint == "run `portsup down -i 1 -f '/work/my stack/other.toml'`"
    assert CONFIG_NAME == load.FILE_NAME


def test_stale(folder: Path, ports_block: int) -> None:
    """The supervisor is dead and nobody lives there."""
    write_record(folder, ports_block, supervisor=dead_owner(), instance_id="dead-4")
    assert look(folder, ports_block, Holding.STALE).hint() == "run `portsup prune`"


def test_stale_and_listened_on(folder: Path, ports_block: int) -> None:
    """Whoever listens can't be told to be portsup's."""
    write_record(folder, ports_block, supervisor=dead_owner(), instance_id="dead-5")
    with foreigner(ports_block) as process:
        (user,) = look(folder, ports_block, Holding.FOREIGN).listeners
        assert user.owner is not None and user.owner.pid == process.pid


@pytest.mark.parametrize("how", ["keep", "close", "bare"])
def test_left_over(folder: Path, ports_block: int, how: str) -> None:
    """A child is told by its marker and session, or, without both, by the lock that it inherited."""
    with orphan(folder, ports_block, how) as pid:
        report = look(folder, ports_block, Holding.LEFTOVER)
        assert [owner.pid for owner in report.survivors] == [pid]
        assert f"pid {pid} of its instance lives" in report.line()
    look(folder, ports_block, Holding.STALE)


def test_survivors_by_session_alone(folder: Path, ports_block: int) -> None:
    """A recorded child's session tells its members; a recycled leader's doesn't."""
    with orphan(folder, ports_block, "close") as pid:
        child = os_facts.owner(pid)
        assert child is not None
        assert survivors("nobody", (child,)) == (child,)
        assert survivors("nobody", (type(child)(pid, child.started - 1),)) == ()
        assert survivors("test-1") == ()


def test_foreign(folder: Path, ports_block: int) -> None:
    """A listener without a lock, with pid, command and every address."""
    with foreigner(ports_block, "127.0.0.1", "::1") as process:
        report = look(folder, ports_block, Holding.FOREIGN)
        assert f"not portsup's: pid {process.pid} (" in report.line()
        assert sorted(user.address for user in report.listeners) == ["127.0.0.1", "::1"]
        assert "end it yourself" in report.hint()


def test_what_is_no_file(folder: Path, ports_block: int) -> None:
    """A folder at the lock's path is named, not followed."""
    port_file(folder, ports_block).mkdir()
    look(folder, ports_block, Holding.UNUSABLE)


def test_text_of_others_can_not_steer_the_terminal(folder: Path, ports_block: int) -> None:
    """Escape codes in a record come out as question marks."""
    write_record(folder, ports_block, stack="\x1b[2Jx", config="/a\nb/services.toml")
    report = look(folder, ports_block, Holding.HELD)
    assert "?[2Jx" in report.line() and report.hint().isprintable()


@needs_root
def test_another_users_stale_file(ports_block: int) -> None:
    """Only that user or root can prune it, and the hint says so."""
    with public_folder() as folder:
        write_record(folder, ports_block, supervisor=dead_owner(), instance_id="dead-6")
        assert look(folder, ports_block, Holding.STALE).hint() == "run `portsup prune`"
        with another_user():
            assert look(folder, ports_block, Holding.STALE).hint() == "root must run `portsup prune`"
