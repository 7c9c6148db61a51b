"""Spawning a child with a listening socket: by real exec, whatever else goes on in this process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest
from harness import ROOT
from process_help import PYTHON, ended, output, spec

from supervisor.errors import SpawnError
from supervisor.ports.listening import Listening
from supervisor.process.child import Child
from supervisor.process.spawn import spawn

FACTS = """
import os, socket
print(os.getpid(), os.environ["LISTEN_PID"], os.get_inheritable(3), socket.socket(fileno=3).getsockname()[1])
"""

BARE = """
import os, sys
from pathlib import Path
from supervisor.errors import SpawnError
from supervisor.ports.listening import listen
from supervisor.process.spawn import ChildSpec, spawn
os.closerange(3, 64)
listening = listen(int(sys.argv[1]))
try:
    spawn(ChildSpec("x", ("no-such-program",), False, Path("/"), {}, (), listening_fd=listening.fd))
except SpawnError as error:
    print(error)
"""


def printed(child: Child) -> list[str]:
    try:
        words = output(child).split()
        assert ended(child).ok
        return words
    finally:
        child.close()


def test_the_socket_and_the_pid(listening: Listening, ports_block: int) -> None:
    """The child's own pid stands in LISTEN_PID, and 3 is the socket; nothing of that is left here."""
    child = spawn(spec(*PYTHON, "-c", FACTS, listening_fd=listening.fd))
    pid = str(child.owner.pid)
    assert printed(child) == [pid, pid, "True", str(ports_block)]
    assert "LISTEN_PID" not in os.environ
    assert not os.get_inheritable(listening.fd)


def test_a_shell_that_execs_is_the_child_itself(listening: Listening, ports_block: int) -> None:
    """LISTEN_PID is the shell's, so that whoever it execs finds its own."""
    wanted = spec("exec python3 -ISc '" + FACTS + "'", shell=True, listening_fd=listening.fd)
    child = spawn(wanted)
    pid = str(child.owner.pid)
    assert printed(child) == [pid, pid, "True", str(ports_block)]


@pytest.mark.parametrize("env", [{"A": "\0"}, {"A": "\ud800"}])
def test_an_environment_that_cannot_be_passed_on(listening: Listening, env: dict[str, str]) -> None:
    """Said before there is a child."""
    with pytest.raises(SpawnError, match="holds characters that can't be passed on"):
        spawn(spec("true", env={"PATH": os.environ["PATH"], **env}, listening_fd=listening.fd))


def test_its_number_is_free_here(ports_block: int) -> None:
    """Where nothing is open but 0, 1 and 2, a failed exec is told all the same: the pipe by which Popen
    learns of it doesn't get the number that is overwritten in the child."""
    done = subprocess.run(
        [sys.executable, "-c", BARE, str(ports_block)], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.stdout == "cannot start no-such-program: command not found\n", done.stderr


def test_idle_threads_do_no_harm(listening: Listening) -> None:
    """They aren't there after the fork, and hold nothing that the child needs."""
    over = threading.Event()
    idle = [threading.Thread(target=over.wait) for _ in range(3)]
    for thread in idle:
        thread.start()
    try:
        for _ in range(20):
            child = spawn(spec("/bin/true", listening_fd=listening.fd))
            assert printed(child) == []
    finally:
        over.set()
        for thread in idle:
            thread.join()
