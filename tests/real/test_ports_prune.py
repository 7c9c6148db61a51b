"""Leftovers of dead supervisors: told, ended and removed; everybody else is left alone."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from claims import (
    NOBODY,
    another_user,
    claimers,
    dead_owner,
    files,
    instance_record,
    needs_root,
    port_record,
    public_folder,
)
from harness import foreigner, wait_until

from supervisor.platform import os_facts
from supervisor.platform.contract import Owner
from supervisor.ports.leftovers import Kind
from supervisor.ports.prune import find, prune, unlink_dead
from supervisor.records import encode, instance_file, port_file

STUBBORN = "import signal; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); signal.pause()"


@contextlib.contextmanager
def process(code: str, arguments: Sequence[str] = (), **options: object) -> Iterator[subprocess.Popen[str]]:
    """A child of this test that has said ready."""
    child = subprocess.Popen(  # type: ignore[call-overload]
        [sys.executable, "-I", "-S", "-c", code, *arguments], stdout=subprocess.PIPE, text=True, **options
    )
    try:
        assert child.stdout.readline() == "ready\n"
        yield child
    finally:
        child.kill()
        child.communicate()


def marked(instance_id: str) -> dict[str, str]:
    return {**os.environ, "PORTSUP_UNIT": f"{instance_id}/api"}


def leave_port(folder: Path, instance_id: str, port: int = 6000, **fields: object) -> Path:
    """The record of a port whose supervisor is dead."""
    path = port_file(folder, port)
    record = port_record(port, supervisor=dead_owner(), instance_id=instance_id, **fields)  # type: ignore[arg-type]
    path.write_bytes(encode(record))
    return path


@pytest.mark.parametrize("how", ["keep", "close", "bare"])
def test_a_survivor_is_ended_and_its_lock_removed(tmp_path: Path, ports_block: int, how: str) -> None:
    """Told by its marker, or by the lock alone; found before, gone after."""
    with claimers(tmp_path, [{"api": [ports_block]}]) as (supervisor,):
        assert supervisor.ask("claim") == [ports_block]
        assert supervisor.ask("instance") == 1
        pid = supervisor.ask(f"spawn {how}")
        assert find(tmp_path) == [], "its supervisor lives"
        supervisor.kill()
        owner = os_facts.owner(pid)
        assert owner is not None
        try:
            found = find(tmp_path)
            assert [leftover.kind for leftover in found] == [Kind.PROCESS, Kind.FILE, Kind.FILE]
            assert (found[0].owner, found[0].service) == (owner, "api")
            assert found[0].instance.startswith("test instance 1 in /work/test, whose supervisor, pid ")
            assert found[0].why == ("holds its lock" if how == "bare" else "carries its marker")
            tried = prune(tmp_path, dry_run=True)
            assert [one.leftover for one in tried] == found and not any(one.gone for one in tried)
            assert os_facts.is_alive(owner)
            done = prune(tmp_path)
            assert all(one.gone for one in done) and len(done) == 3
            assert not os_facts.is_alive(owner)
            assert files(tmp_path) == [] and find(tmp_path) == []
            json.dumps([one.to_json() for one in done])
            assert done[0].line().startswith(f"ended: pid {pid} (")
        finally:
            os_facts.send_signal(owner, signal.SIGKILL)


def test_who_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    """After a second."""
    leave_port(tmp_path, "dead-10")
    with process(STUBBORN, env=marked("dead-10")) as child:
        done = prune(tmp_path)
        assert child.wait(5) == -signal.SIGKILL
        assert all(one.gone for one in done)
    assert files(tmp_path) == []


def test_a_worker_without_a_port_is_found(tmp_path: Path) -> None:
    """By the instance's record, or by that of any port of its instance."""
    leave_port(tmp_path, "dead-11")
    environ = {**os.environ, "PORTSUP_UNIT": "dead-11/worker"}
    with process(STUBBORN, env=environ) as child:
        (found, _) = find(tmp_path)
        assert found.owner == os_facts.owner(child.pid) and found.service == "worker"


def test_a_recorded_session_is_proof_while_its_leader_is_there(tmp_path: Path) -> None:
    """A child without marker and lock is told by the session that it leads."""
    with process(STUBBORN, start_new_session=True) as child:
        leave_port(tmp_path, "dead-12", child=os_facts.owner(child.pid))
        prune(tmp_path)
        assert child.wait(5) == -signal.SIGKILL
    assert files(tmp_path) == []


def test_a_recycled_pid_is_never_signalled(tmp_path: Path) -> None:
    """The recorded child's pid means another process now: the file goes, the process stays."""
    with process(STUBBORN, start_new_session=True) as child:
        owner = os_facts.owner(child.pid)
        assert owner is not None
        leave_port(tmp_path, "dead-13", child=Owner(owner.pid, owner.started - 1))
        (done,) = prune(tmp_path)
        assert done.gone and done.leftover.kind is Kind.FILE
        assert child.poll() is None


def test_a_session_without_its_leader_proves_nothing(tmp_path: Path) -> None:
    """Who is left in it is shown and left alone, and so is the file."""
    code = f"""
import os
read, write = os.pipe()
if os.fork() == 0:
    os.close(read)
    {STUBBORN.replace("print('ready', flush=True)", "os.write(write, b'%d' % os.getpid())")}
print(os.read(read, 20).decode(), flush=True)
input()
"""
    leader = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert leader.stdin is not None and leader.stdout is not None
    member = os_facts.owner(int(leader.stdout.readline()))
    leave_port(tmp_path, "dead-14", child=os_facts.owner(leader.pid))
    assert member is not None
    try:
        leader.kill()
        leader.wait()
        done = prune(tmp_path)
        assert [one.gone for one in done] == [False, False]
        assert "can't be proven" in str(done[0].leftover.kept)
        assert os_facts.is_alive(member)
        assert len(files(tmp_path)) == 1
    finally:
        os_facts.send_signal(member, signal.SIGKILL)
        leader.stdin.close()
        leader.stdout.close()


def test_a_reader_of_the_file_is_no_survivor(tmp_path: Path, ports_block: int) -> None:
    """Somebody who has the lock file open, in a pager say, holds no lock."""
    with claimers(tmp_path, [{"api": [ports_block]}]) as (supervisor,):
        supervisor.ask("claim")
        pid = supervisor.ask("spawn bare")
        owner = os_facts.owner(pid)
        assert owner is not None
        supervisor.kill()
        with (
            port_file(tmp_path, ports_block).open() as file,
            process(STUBBORN, pass_fds=[file.fileno()]) as reader,
        ):
            try:
                assert [one.owner for one in find(tmp_path) if one.owner] == [owner]
                prune(tmp_path)
                assert reader.poll() is None
            finally:
                os_facts.send_signal(owner, signal.SIGKILL)


def test_a_stale_file_that_is_being_taken_over_is_no_leftover(tmp_path: Path) -> None:
    """A claimer holds the lock while the dead supervisor's record still stands there."""
    code = """
import fcntl, signal, sys
file = open(sys.argv[1], "r+")
fcntl.flock(file, fcntl.LOCK_EX)
print("ready", flush=True)
signal.pause()
"""
    path = leave_port(tmp_path, "dead-23")
    with process(code, arguments=[str(path)]) as claimer:
        assert find(tmp_path) == [] and prune(tmp_path) == []
        assert path.exists()
        assert claimer.poll() is None


def test_the_living_are_not_touched(tmp_path: Path, ports_block: int) -> None:
    """Neither a live supervisor's files and children, nor a claimer's, nor another namespace's."""
    with claimers(tmp_path, [{"api": [ports_block]}]) as (supervisor,), foreigner(ports_block + 1):
        supervisor.ask("claim")
        pid = supervisor.ask("spawn keep")
        leave_port(tmp_path, "elsewhere", ports_block + 2, pidns="pid:[1]")
        before = files(tmp_path)
        try:
            assert prune(tmp_path) == [] and files(tmp_path) == before
            assert os_facts.owner(pid) is not None
        finally:
            os.kill(pid, signal.SIGKILL)


def test_this_command_and_what_it_runs_below_are_spared(tmp_path: Path) -> None:
    """In a shell that a service opened, `portsup prune` doesn't end that shell."""
    leave_port(tmp_path, "dead-15")
    root = Path(__file__).parents[2]
    code = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from supervisor.ports.prune import prune
print([(one.gone, one.leftover.kept) for one in prune(Path(sys.argv[2]))])
"""
    done = subprocess.run(
        ["/bin/sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-c", code, str(root), str(tmp_path)],
        env=marked("dead-15"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("this command runs below it") == 2
    assert "True" not in done.stdout


@pytest.mark.parametrize("text", [b"", b"garbage"])
def test_a_file_without_a_record_is_removed(tmp_path: Path, text: bytes) -> None:
    """Nobody holds it."""
    port_file(tmp_path, 6000).write_bytes(text)
    (done,) = prune(tmp_path)
    assert done.gone and files(tmp_path) == []


def test_the_boot_before(tmp_path: Path) -> None:
    """Only the file goes: whatever has the recorded pid now is somebody else."""
    with process(STUBBORN, start_new_session=True) as child:
        leave_port(tmp_path, "dead-16", boot_id="another", child=os_facts.owner(child.pid))
        (done,) = prune(tmp_path)
        assert done.gone and "started anew" in done.leftover.why
        assert child.poll() is None


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's name."""
    with tempfile.TemporaryDirectory(prefix="p", dir="/tmp") as name:
        yield Path(name)


@contextlib.contextmanager
def unix_listener(path: Path) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        yield


def leave_instance(folder: Path, path: Path) -> None:
    record = instance_record(supervisor=dead_owner(), instance_id="dead-17", socket=str(path))
    instance_file(folder, 6000).write_bytes(encode(record))


def test_a_dead_control_socket_is_removed(tmp_path: Path, short: Path) -> None:
    """Together with the instance's file."""
    path = short / "x.sock"
    with unix_listener(path):
        pass
    leave_instance(tmp_path, path)
    assert [one.kind for one in find(tmp_path)] == [Kind.SOCKET, Kind.FILE]
    assert all(one.gone for one in prune(tmp_path))
    assert not path.exists() and files(tmp_path) == []


def test_a_live_control_socket_is_left(tmp_path: Path, short: Path) -> None:
    """Somebody listens there, whoever that is."""
    path = short / "x.sock"
    leave_instance(tmp_path, path)
    with unix_listener(path):
        prune(tmp_path)
        assert path.exists()


def test_what_is_no_socket_is_left(tmp_path: Path) -> None:
    """A record can't make prune remove a file of the user's."""
    precious = tmp_path / "precious"
    precious.write_text("mine")
    leave_instance(tmp_path, precious)
    prune(tmp_path)
    assert precious.read_text() == "mine" and files(tmp_path) == ["precious"]


@needs_root
def test_a_record_proves_nothing_about_other_users(tmp_path: Path) -> None:
    """nobody's file names root's process: it is shown and left alone."""
    path = leave_port(tmp_path, "dead-18")
    os.chown(path, NOBODY, NOBODY)
    with process(STUBBORN, env=marked("dead-18")) as child:
        done = prune(tmp_path)
        assert [one.gone for one in done] == [False, False]
        assert f"uid {NOBODY}'s" in str(done[0].leftover.kept)
        assert child.poll() is None


@needs_root
def test_another_users_record_adds_no_process_to_ours(tmp_path: Path) -> None:
    """nobody's file says that a process of root's was a child of root's dead instance."""
    own = instance_file(tmp_path, 6000)
    own.write_bytes(encode(instance_record(supervisor=dead_owner(), instance_id="dead-22")))
    with process(STUBBORN, start_new_session=True) as child:
        owner = os_facts.owner(child.pid)
        path = leave_port(tmp_path, "dead-22", 6001, child=owner, uid=NOBODY)
        os.chown(path, NOBODY, NOBODY)
        assert [one.leftover.path for one in prune(tmp_path) if one.gone] == [own]
        assert child.poll() is None


@needs_root
def test_another_users_file_names_no_socket_of_ours(tmp_path: Path, short: Path) -> None:
    """Anybody may write any path into theirs: root's prune removes nobody's file and no socket."""
    path = short / "precious.sock"
    with unix_listener(path):
        pass
    leave_instance(tmp_path, path)
    (file,) = files(tmp_path)
    os.chown(tmp_path / file, NOBODY, NOBODY)
    (done,) = prune(tmp_path)
    assert done.gone and done.leftover.kind is Kind.FILE
    assert path.exists()


@needs_root
def test_another_users_file_is_left_to_that_user() -> None:
    """Named, with who can remove it."""
    with public_folder() as folder:
        leave_port(folder, "dead-19")
        with another_user():
            (done,) = prune(folder)
        assert not done.gone and done.leftover.kept == "it is uid 0's"
        assert done.hint == "root must run `portsup prune`"
        assert len(files(folder)) == 1


class TestGuard:
    """What a guard removes when its supervisor has died."""

    def test_only_its_own(self, tmp_path: Path) -> None:
        """Every file of that supervisor and empty ones; no other's, dead or alive."""
        supervisor = dead_owner()
        for port in (6000, 6001):
            record = port_record(port, supervisor=supervisor, instance_id="dead-20")
            port_file(tmp_path, port).write_bytes(encode(record))
        instance = instance_record(supervisor=supervisor, instance_id="dead-20")
        instance_file(tmp_path, 6000).write_bytes(encode(instance))
        port_file(tmp_path, 6002).write_bytes(b"")
        other = leave_port(tmp_path, "dead-21", 6003)
        alive = port_file(tmp_path, 6004)
        alive.write_bytes(encode(port_record(6004)))
        unlink_dead(tmp_path, supervisor)
        assert files(tmp_path) == [other.name, alive.name]

    def test_not_while_somebody_of_it_lives(self, tmp_path: Path) -> None:
        """Spared on purpose, or not to be ended: the port isn't given out."""
        supervisor = dead_owner()
        path = port_file(tmp_path, 6000)
        path.write_bytes(encode(port_record(6000, supervisor=supervisor, instance_id="dead-22")))
        with process(STUBBORN, env=marked("dead-22")):
            unlink_dead(tmp_path, supervisor)
            assert path.exists()
        unlink_dead(tmp_path, supervisor)
        assert files(tmp_path) == []

    def test_a_held_file_stays(self, tmp_path: Path, ports_block: int) -> None:
        """Whoever holds the lock has the claim."""
        with claimers(tmp_path, [{"api": [ports_block]}]) as (supervisor,):
            supervisor.ask("claim")
            pid = supervisor.ask("spawn bare")
            owner = os_facts.owner(supervisor.process.pid)
            assert owner is not None
            supervisor.kill()
            try:
                unlink_dead(tmp_path, owner)
                assert len(files(tmp_path)) == 1
            finally:
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda: os_facts.owner(pid) is None, 5, "its end")
            unlink_dead(tmp_path, owner)
            assert files(tmp_path) == []

    def test_a_folder_that_is_gone(self, tmp_path: Path) -> None:
        """Nothing to do, and no error."""
        unlink_dead(tmp_path / "nowhere", dead_owner())
