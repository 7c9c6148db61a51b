"""The contract's facts about processes, on real ones."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import wait_until

from supervisor.platform import os_facts

WAIT = "print('ready', flush=True); import sys; sys.stdin.read()"


@contextlib.contextmanager
def python(
    code: str = WAIT, executable: str = sys.executable, **environ: str
) -> Iterator[subprocess.Popen[str]]:
    """A Python that has said ready; killed at the end."""
    process = subprocess.Popen(
        [executable, "-I", "-S", "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environ},
    )
    with process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def test_a_process_and_its_relations() -> None:
    """Parent, group and session as the kernel's calls give them."""
    with python() as child:
        found = os_facts.process(child.pid)
        assert found is not None and not found.zombie
        assert found.ppid == os.getpid()
        assert (found.pgid, found.sid) == (os.getpgid(child.pid), os.getsid(child.pid))
        assert child.pid in os_facts.children(os.getpid())
        assert found.owner in {process.owner for process in os_facts.processes()}


def test_a_zombie_is_seen_but_owns_nothing() -> None:
    """A dead child that nobody waited for is a child still, and not alive."""
    with python() as child:
        owner = os_facts.owner(child.pid)
        assert owner is not None and os_facts.is_alive(owner)
        child.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        found = os_facts.process(child.pid)
        assert found is not None and found.zombie
        assert os_facts.owner(child.pid) is None and not os_facts.is_alive(owner)
        assert child.pid in os_facts.children(os.getpid())
    assert os_facts.process(child.pid) is None


def test_a_name_with_parentheses(tmp_path: Path) -> None:
    """A program may be called anything."""
    weird = tmp_path / "a) S 1 (b"
    weird.symlink_to(sys.executable)
    with python(executable=str(weird)) as child:
        found = os_facts.process(child.pid)
        assert found is not None and found.ppid == os.getpid()
        assert os_facts.command_line(child.pid)[0] == str(weird)


def test_a_process_that_lost_its_first_thread_lives() -> None:
    """Only its first thread is a zombie: it still holds descriptors and can be signalled."""
    code = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(60,)).start()
print('ready', flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""
    with python(code) as child:

        def state() -> bool:
            return "State:\tZ" in Path(f"/proc/{child.pid}/status").read_text()

        wait_until(state, 5, "the end of the first thread")
        owner = os_facts.owner(child.pid)
        assert owner is not None and os_facts.is_alive(owner)
        assert os_facts.send_signal(owner, signal.SIGKILL)
        child.wait()
        assert not os_facts.is_alive(owner)


def test_the_environment_at_exec() -> None:
    """A variable is found by its whole name, and keeps equal signs in its value."""
    with python(PROBE="a=b/c", PROBE_2="x") as child:
        assert os_facts.environment_variable(child.pid, "PROBE") == "a=b/c"
        assert os_facts.environment_variable(child.pid, "PROB") is None
        assert os_facts.uid(child.pid) == os.geteuid()


def test_who_is_gone_has_no_facts() -> None:
    """Everything about a pid that isn't there is None or nothing."""
    with python() as child:
        pid = child.pid
    assert os_facts.process(pid) is None and os_facts.owner(pid) is None and os_facts.uid(pid) is None
    assert os_facts.environment_variable(pid, "PATH") is None
    assert not os_facts.command_line(pid) and not os_facts.children(pid)
    assert not os_facts.open_files(pid) and not os_facts.open_sockets(pid) and not os_facts.locked_files(pid)


def test_a_signal_needs_the_start_time() -> None:
    """A recycled pid is never signalled; the right one is, once."""
    with python() as child:
        owner = os_facts.owner(child.pid)
        assert owner is not None
        assert not os_facts.send_signal(owner._replace(started=owner.started - 1), signal.SIGKILL)
        assert child.poll() is None
        assert os_facts.send_signal(owner, signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        assert not os_facts.send_signal(owner, signal.SIGKILL)


def test_the_exit_descriptor() -> None:
    """It is readable when the child has exited, not before, and isn't inherited."""
    with python() as child:
        fd = os_facts.open_exit_fd(child.pid)
        try:
            assert not os.get_inheritable(fd)
            assert select.select([fd], [], [], 0)[0] == []
            child.kill()
            assert select.select([fd], [], [], 5)[0] == [fd]
        finally:
            os.close(fd)


def test_files_and_locks(tmp_path: Path) -> None:
    """Who inherited a lock holds it; who merely reads the file doesn't."""
    import fcntl

    path = tmp_path / "x.lock.json"
    with path.open("w") as held, path.open() as read:
        fcntl.flock(held, fcntl.LOCK_EX)
        found = os.fstat(held.fileno())
        identity = (found.st_dev, found.st_ino)
        sleep = ["sleep", "60"]
        holder = subprocess.Popen(sleep, pass_fds=[held.fileno()])
        reader = subprocess.Popen(sleep, pass_fds=[read.fileno()])
        try:
            assert identity in os_facts.open_files(holder.pid)
            assert identity in os_facts.open_files(reader.pid)
            assert os_facts.locked_files(holder.pid).get(identity) == os.getpid()
            assert identity not in os_facts.locked_files(reader.pid)
        finally:
            for process in (holder, reader):
                process.kill()
                process.wait()


def test_orphans_come_to_a_subreaper() -> None:
    """The grandchild of a subreaper becomes its child when the one between has died."""
    code = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
from supervisor.platform import os_facts
os_facts.become_subreaper()
read, write = os.pipe()
if os.fork() == 0:
    if os.fork() == 0:
        os.read(read, 1)
        os._exit(0)
    os._exit(0)
os.wait()
(orphan,) = os_facts.children(os.getpid())
os.write(write, b"x")
assert os.waitpid(orphan, 0) == (orphan, 0)
print("adopted")
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code, root], capture_output=True, text=True, check=False)
    assert done.stdout == "adopted\n", done.stderr


def test_death_with_the_parent() -> None:
    """The kernel sends the signal when the parent dies."""
    code = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
from supervisor.platform import os_facts
ready, told = os.pipe()
if os.fork() == 0:
    os_facts.die_with_parent(9)
    os.write(told, b"x")
    time.sleep(60)
os.read(ready, 1)
"""
    root = Path(__file__).parents[2]
    # The child inherits stdout: the end of file comes only when it is gone, too.
    done = subprocess.run([sys.executable, "-c", code, root], stdout=subprocess.PIPE, timeout=20, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("fact", [os_facts.boot_id, os_facts.pid_namespace, os_facts.net_namespace])
def test_names_of_the_machine(fact: object) -> None:
    """Each is a word that stays the same."""
    assert callable(fact)
    assert fact() and fact() == fact() and not fact().isspace()
