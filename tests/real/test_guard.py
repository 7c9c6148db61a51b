"""The guard and a real supervisor below it, signalled and killed."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import ROOT, full_pipe, until_small
from process_help import CHILDREN, alive, pid_in, settable, until

from supervisor.platform import os_facts
from supervisor.platform.contract import Owner

SERVICES = 5

TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""

IGNORE_CHLD = """
import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execv(sys.argv[1], sys.argv[1:])
"""


class Guarded:
    """children/guarded.py, and everyone below it while it was looked at."""

    def __init__(self, scenario: str, folder: Path, **options: Any) -> None:
        command = [*options.pop("before", ()), sys.executable, str(CHILDREN / "guarded.py")]
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        self.process = subprocess.Popen(
            [*command, scenario, str(folder)],
            env={**os.environ, "PYTHONPATH": str(options.pop("code", ROOT))},
            text=True,
            start_new_session=True,
            **options,
        )
        self._folder = folder
        self._seen: set[Owner] = set()

    def line(self) -> dict[str, Any]:
        """The next line that the supervisor says."""
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], 20)[0], "nothing was said"
        self.look()
        facts: dict[str, Any] = json.loads(self.process.stdout.readline())
        # Whom it spares may be nobody's child of ours by the next look.
        if "pid" in facts and (named := os_facts.owner(facts["pid"])):
            self._seen.add(named)
        return facts

    def look(self) -> None:
        waiting = [self.process.pid]
        while waiting:
            pid = waiting.pop()
            if owner := os_facts.owner(pid):
                self._seen.add(owner)
            waiting.extend(os_facts.children(pid))

    def grow_small(self) -> None:
        """Return when the guard is the program that it becomes when the start is over, and waits."""
        until_small(self.process.pid)

    def send(self, signum: int) -> None:
        self.process.send_signal(signum)

    def ended(self) -> int:
        return self.process.wait(20)

    def stderr(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def close(self) -> None:
        self.look()
        for owner in self._seen:
            os_facts.send_signal(owner, signal.SIGKILL)
        self.process.wait(20)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


Start = Callable[..., Guarded]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, since a socket's path has to fit."""
    with tempfile.TemporaryDirectory(prefix="p", dir="/tmp") as name:
        yield Path(name)


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    with contextlib.ExitStack() as stack:

        def started(scenario: str, **options: Any) -> Guarded:
            stack.callback((guard := Guarded(scenario, folder, **options)).close)
            return guard

        yield started


def test_the_guard_keeps_the_pid_and_passes_on_the_code(start: Start) -> None:
    """Whoever started portsup signals the guard and gets the supervisor's exit code."""
    guard = start("orderly")
    assert guard.line()["supervisor"] != guard.process.pid
    guard.send(signal.SIGTERM)
    assert guard.ended() == 7
    assert guard.stderr() == ""


@pytest.mark.parametrize(
    ("signum", "byte"),
    [(signal.SIGINT, "I"), (signal.SIGTERM, "T"), (signal.SIGHUP, "H"), (signal.SIGQUIT, "T")],
)
def test_each_stop_command_reaches_the_supervisor_as_a_byte(start: Start, signum: int, byte: str) -> None:
    """Two are told one by one; with the third the guard kills a supervisor that doesn't react."""
    guard = start("echo")
    guard.line()
    for _ in range(2):
        guard.send(signum)
        assert guard.line() == {"command": byte}
    guard.send(signum)
    assert guard.ended() == 128 + signal.SIGKILL
    assert "portsup: the supervisor was killed (signal KILL); its services were ended" in guard.stderr()


def test_commands_are_counted_across_signals(start: Start) -> None:
    """INT, then TERM, then HUP are three as well."""
    guard = start("echo")
    guard.line()
    guard.send(signal.SIGINT)
    assert guard.line() == {"command": "I"}
    guard.send(signal.SIGTERM)
    assert guard.line() == {"command": "T"}
    guard.send(signal.SIGHUP)
    assert guard.ended() == 128 + signal.SIGKILL


def test_a_terminals_ctrl_c_counts_once(start: Start) -> None:
    """The kernel signals both processes of the foreground group; the supervisor's copy does nothing."""
    guard = start("echo")
    guard.line()
    os.killpg(guard.process.pid, signal.SIGINT)
    assert guard.line() == {"command": "I"}
    os.killpg(guard.process.pid, signal.SIGINT)
    assert guard.line() == {"command": "I"}
    assert guard.process.poll() is None


def test_ctrl_c_and_ctrl_backslash_on_a_real_terminal(start: Start, folder: Path) -> None:
    """Typed on the keyboard, each is one stop command."""
    keyboard, terminal = pty.openpty()
    try:
        guard = start("echo", stdin=terminal, before=(sys.executable, "-c", TAKE_TERMINAL))
        guard.line()
        for key, byte in ((b"\x03", "I"), (b"\x1c", "T")):
            os.write(keyboard, key)
            assert guard.line() == {"command": byte}
        os.write(keyboard, b"\x03")
        assert guard.ended() == 128 + signal.SIGKILL
    finally:
        os.close(keyboard)
        os.close(terminal)


@pytest.mark.parametrize("before", [(), ("nohup",)])
def test_children_find_their_signals_as_they_should(start: Start, before: tuple[str, ...]) -> None:
    """Nothing is blocked or ignored, save HUP under nohup."""
    facts = start("masks", before=before).line()
    assert facts["blocked"] == 0
    assert settable(facts["ignored"]) == (1 << (signal.SIGHUP - 1) if before else 0)


def test_nohup_goes_on(start: Start) -> None:
    """HUP is no stop command then."""
    guard = start("echo", before=("nohup",))
    guard.line()
    guard.send(signal.SIGHUP)
    guard.send(signal.SIGINT)
    assert guard.line() == {"command": "I"}


def test_an_ignored_sigchld_hides_no_exit(start: Start) -> None:
    """A parent's SIG_IGN comes down through exec, and would throw exit statuses away."""
    guard = start("orderly", before=(sys.executable, "-c", IGNORE_CHLD))
    guard.line()
    guard.send(signal.SIGINT)
    assert guard.ended() == 7


@pytest.mark.parametrize("late", [False, True], ids=["during the start", "later"])
def test_a_killed_supervisors_services_are_ended(start: Start, folder: Path, late: bool) -> None:
    """Also daemonised workers in own sessions that ignore TERM and carry no sign; socket and lock go too."""
    guard = start("services")
    supervisor = guard.line()["supervisor"]
    pids = [pid_in(folder / str(n) / name) for n in range(SERVICES) for name in ("leader", "worker")]
    assert all(alive(pid) for pid in pids)
    guard.look()
    if late:
        guard.grow_small()
    os.kill(supervisor, signal.SIGKILL)
    assert guard.ended() == 128 + signal.SIGKILL
    assert [pid for pid in pids if alive(pid)] == []
    assert not (folder / "control").exists()
    assert list((folder / "locks").iterdir()) == []
    assert guard.stderr() == "portsup: the supervisor was killed (signal KILL); its services were ended\n"


def test_a_terminal_that_takes_no_more_keeps_nothing(start: Start, folder: Path) -> None:
    """After Ctrl-S the guard's last words are lost; locks and socket are given back, and it ends."""
    with full_pipe() as stalled:
        guard = start("services", stderr=stalled)
        supervisor = guard.line()["supervisor"]
        pid_in(folder / str(SERVICES - 1) / "worker")
        guard.look()
        os.kill(supervisor, signal.SIGKILL)
        assert guard.ended() == 128 + signal.SIGKILL
        assert list((folder / "locks").iterdir()) == []
        assert not (folder / "control").exists()
        assert os.get_blocking(stalled), "whoever shares it would see the change"


def test_another_supervisors_socket_is_left_alone(start: Start, folder: Path) -> None:
    """The path is the same for every supervisor of the instance; the inode isn't."""
    guard = start("replaced")
    assert guard.ended() == 128 + signal.SIGKILL
    assert (folder / "control").is_socket()


def test_a_socket_that_is_made_anew_all_the_time_keeps_nothing(start: Start, folder: Path) -> None:
    """Nobody reads what the guard is told while the supervisor lives."""
    guard = start("moves")
    supervisor = guard.line()["supervisor"]
    os.kill(supervisor, signal.SIGKILL)
    assert guard.ended() == 128 + signal.SIGKILL
    assert not (folder / "control").exists()


def test_who_is_spared_is_told_after_many_sockets_too(start: Start) -> None:
    """What matters last is heard."""
    guard = start("moves")
    guard.line()
    guard.send(signal.SIGTERM)
    spared = guard.line()["pid"]
    assert guard.ended() == 0
    assert alive(spared)


@pytest.mark.parametrize("gone", [".", "process/sweep.py"])
def test_services_are_ended_though_the_code_is_gone(start: Start, folder: Path, gone: str) -> None:
    """An upgrade, or a worktree that is removed, takes it away while the instance runs."""
    code = folder / "code" / "supervisor"
    shutil.copytree(ROOT / "supervisor", code, ignore=shutil.ignore_patterns("__pycache__"))
    guard = start("services", code=code.parent)
    supervisor = guard.line()["supervisor"]
    pids = [pid_in(folder / str(n) / name) for n in range(SERVICES) for name in ("leader", "worker")]
    guard.look()
    guard.grow_small()
    (code / gone).rename(folder / "gone")
    os.kill(supervisor, signal.SIGKILL)
    assert guard.ended() == 128 + signal.SIGKILL
    assert [pid for pid in pids if alive(pid)] == []
    assert not (folder / "control").exists()
    assert "its services were ended" in (text := guard.stderr())
    assert "Traceback" not in text


def test_who_was_spared_on_purpose_lives_on(start: Start) -> None:
    """The supervisor said that it had finished."""
    guard = start("spares")
    spared = guard.line()["pid"]
    assert guard.ended() == 0
    assert alive(spared)


def test_a_supervisor_that_ends_without_a_word_leaves_nothing(start: Start) -> None:
    """Its code counts, its services are ended."""
    guard = start("gives_up")
    left = guard.line()["pid"]
    assert guard.ended() == 3
    assert not alive(left)
    assert "the supervisor ended early (code 3)" in guard.stderr()


def test_children_from_before_are_not_touched(start: Start, folder: Path) -> None:
    """A shell script's background job outlives the portsup that the script `exec`s."""
    shell = f'sleep 600 & echo $! > {folder}/job; exec "$@"'
    guard = start("services", before=("/bin/sh", "-c", shell, "sh"))
    supervisor = guard.line()["supervisor"]
    pid_in(folder / "0" / "worker")
    guard.look()
    os.kill(supervisor, signal.SIGKILL)
    assert guard.ended() == 128 + signal.SIGKILL
    assert alive(pid_in(folder / "job"))


def test_an_error_in_the_supervisor_is_one_line(start: Start) -> None:
    """No traceback reaches the terminal, and the code says that it was our fault."""
    guard = start("raises")
    assert guard.ended() == 70
    assert "portsup: internal error: ValueError: broken (guarded.py:" in (text := guard.stderr())
    assert "Traceback" not in text


def test_a_killed_guard_is_seen_by_the_supervisor(start: Start, folder: Path) -> None:
    """Its commands end."""
    guard = start("echo")
    supervisor = os_facts.owner(guard.line()["supervisor"])
    assert supervisor is not None
    guard.send(signal.SIGKILL)
    until((folder / "eof").exists)
    until(lambda: not os_facts.is_alive(supervisor))


def test_the_guard_stays_small(start: Start) -> None:
    """Its memory is its own only as far as Python needs it to run, whatever the command had imported."""
    guard = start("echo")
    guard.line()
    guard.grow_small()
    for _ in range(2):
        guard.send(signal.SIGINT)
        assert guard.line() == {"command": "I"}  # passed on by the program that it has become
    assert private_memory(guard.process.pid) < 5 * 1024 * 1024


def private_memory(pid: int) -> int:
    """Bytes that no other process shares."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
