"""Services with a terminal of their own, and `portsup attach`: real terminals at both ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from harness import CHILDREN, COMMAND, Portsup, wait_until, write_stack
from stand_in import raw_connection
from terminal import CTRL_C, Terminal

from supervisor import records
from supervisor.control import protocol
from supervisor.errors import ExitCode
from supervisor.records import InstanceRecord

CTRL_P, CTRL_Q, CTRL_Z = b"\x10", b"\x11", b"\x1a"
AT_A_TERMINAL = [sys.executable, "-I", "-S", str(CHILDREN / "at_a_terminal.py")]
CONSOLE: dict[str, Any] = {
    "command": AT_A_TERMINAL,
    "tty": True,
    "restart": "no",
    "ready": {"log": "^at your service$"},
}


@pytest.fixture
def ports(ports_block: int) -> int:
    return ports_block


def bring_up(portsup: Portsup, ports: int, **others: Any) -> InstanceRecord:
    """An instance with a console and `others`, ready."""
    write_stack(portsup.cwd, {"console": CONSOLE, **others}, base_port=ports)
    started = portsup.run("up", "-d", "--wait", TERM="")
    assert started.returncode == 0, started.stderr
    (found,) = records.instance_records(portsup.home.locks)
    return found


def log_of(portsup: Portsup, service: str = "console") -> str:
    return (portsup.home.logs() / f"{service}.log").read_text()


def wait_for_log(portsup: Portsup, text: str, times: int = 1) -> None:
    wait_until(lambda: log_of(portsup).count(text) >= times, 10, f"{text!r} in the log")


@contextlib.contextmanager
def attached(portsup: Portsup, *arguments: str) -> Iterator[Terminal]:
    """A terminal where `portsup attach console` shows the console."""
    command = [*COMMAND, "attach", "console", *arguments]
    terminal = Terminal(command, portsup.cwd, {**portsup.home.environ, "TERM": "xterm"})
    try:
        wait_until(lambda: "at your service" in terminal.screen, 10, "the last lines")
        yield terminal
    finally:
        terminal.close()


def wait_for_screen(terminal: Terminal, text: str) -> None:
    wait_until(lambda: text in terminal.screen, 10, f"{text!r} on the screen")


def fds(pid: int) -> list[str]:
    return [str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()]


def test_a_service_at_its_terminal(portsup: Portsup, ports: int) -> None:
    """It controls it, it is the usual size, its lines are plain in the log, and nobody else has any of it."""
    handed = {**CONSOLE, "pool": {"offset": 0, "size": 1}, "socket": True}
    bring_up(portsup, ports, handed=handed, beside={"command": ["sleep", "600"]})
    for service, socket_is_handed in (("console", False), ("handed", True)):
        lines = log_of(portsup, service).split("\n")
        assert lines[0] == "tty [True, True, True] controls True TERM xterm-256color"
        assert lines[1].endswith(f"handed {socket_is_handed}")
        assert lines[2:] == ["size 24x80", "\x1b[32mgreen\x1b[0m", "at your service", ""]
    if sys.platform == "linux":
        assert not [fd for fd in fds(portsup.service(1, "beside")["pid"]) if "pts" in fd or "ptmx" in fd]
        assert not [fd for fd in fds(portsup.service(1, "handed")["pid"]) if "ptmx" in fd]


@pytest.mark.slow
def test_nothing_that_it_prints_is_lost(portsup: Portsup, ports: int) -> None:
    """Not what it prints last, not what comes after it has closed its terminal and opened it again; started
    again it has a new one, and nothing of the old one is kept."""
    record = bring_up(portsup, ports)
    supervisor = psutil.Process(record.supervisor.pid)
    before = supervisor.num_fds()
    type_into(portsup, "reopen")
    wait_for_log(portsup, "reopened")
    type_into(portsup, "burst 20000")
    portsup.wait_for_service(1, "console", "EXITED")
    assert [line for line in log_of(portsup).splitlines() if line.startswith("burst ")][1:] == [
        f"burst {number}" for number in range(20_000)
    ]
    assert portsup.run("start", "console").returncode == 0
    wait_for_log(portsup, "at your service", times=2)
    wait_until(lambda: supervisor.num_fds() <= before, 10, "descriptors to be closed")
    child = psutil.Process(portsup.service(1, "console")["pid"])
    with upgrade(record) as typist:
        typist.sendall(b"late 900\n")
        wait_for_log(portsup, "soon")
        supervisor.suspend()  # its end and much output are seen at the same time then
        try:
            wait_until(lambda: child.status() == psutil.STATUS_ZOMBIE, 10, "the console's end")
        finally:
            supervisor.resume()
    portsup.wait_for_service(1, "console", "EXITED")
    assert log_of(portsup).endswith("burst 899\n")


def type_into(portsup: Portsup, text: str) -> str:
    """By a pipe; what was printed until nothing more came."""
    done = subprocess.run(
        [*COMMAND, "attach", "console"],
        cwd=portsup.cwd,
        env=portsup.home.environ,
        input=text + "\n",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_somebody_at_the_keyboard(portsup: Portsup, ports: int) -> None:
    """Every key goes to the service, Ctrl-C and Ctrl-Z too, up to the detach keys; two may be there."""
    bring_up(portsup, ports)
    pid = portsup.service(1, "console")["pid"]
    with attached(portsup) as first, attached(portsup, "--detach-keys", "ctrl-],x") as second:
        assert "Ctrl-P Ctrl-Q gives the keyboard back" in first.screen
        assert "\x1b[32mgreen\x1b[0m" in first.screen
        first.type(CTRL_C)
        wait_for_screen(first, "interrupted")
        first.type(CTRL_Z)
        wait_for_screen(first, "not suspended")
        first.type(b"hello" + CTRL_P + b"!\r")
        wait_for_screen(second, "heard hello\x10!")
        first.resize(33, 101)
        wait_for_screen(second, "size 33x101")
        second.type(b"from another\r")
        wait_for_screen(first, "heard from another")
        first.type(CTRL_P + CTRL_Q)
        assert first.wait() == 0
        second.type(b"still here\r")
        wait_for_screen(second, "heard still here")
        second.type(b"\x1dx")
        assert second.wait() == 0
        assert first.is_as_before() and second.is_as_before()
        assert "still here" not in first.screen
        assert "detached from console, which runs on" in first.screen
    assert portsup.service(1, "console")["pid"] == pid
    assert portsup.service(1, "console")["state"] == "RUNNING"


@pytest.mark.slow
def test_every_end_gives_the_terminal_back(portsup: Portsup, ports: int) -> None:
    """By signal, by the service's end, by the supervisor's: its settings are as they were, byte for byte."""
    record = bring_up(portsup, ports)
    for signum in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        with attached(portsup) as terminal:
            wait_until(lambda: not terminal.is_as_before(), 10, "raw mode")
            terminal.process.send_signal(signum)
            assert (terminal.wait(), terminal.is_as_before()) == (128 + signum, True)
    with attached(portsup) as terminal:
        terminal.type(b"draw\r")
        wait_for_screen(terminal, "DRAWN")
    with attached_to_screen(portsup) as terminal:
        terminal.type(b"exit 3\r")
        assert (terminal.wait(), terminal.is_as_before()) == (0, True)
        assert "console ended with code 3" in terminal.screen
        assert terminal.screen.rindex("\x1b[?25h\x1b[?1049l") > terminal.screen.rindex("\x1b[?1049h")
    refused = portsup.run("attach", "console")
    assert refused.returncode == 1
    assert "console does not run, it is EXITED" in refused.stderr
    assert "`portsup start console`" in refused.stderr
    assert portsup.run("start", "console").returncode == 0
    with attached(portsup) as terminal:
        wait_until(lambda: not terminal.is_as_before(), 10, "raw mode")
        os.kill(record.supervisor.pid, signal.SIGKILL)
        assert (terminal.wait(), terminal.is_as_before()) == (ExitCode.SERVICE_FAILED, True)
        assert "cannot reach instance 1" in terminal.screen


def test_the_size_beside_the_names(portsup: Portsup, ports: int) -> None:
    """In the foreground a service's terminal is as wide as what is left of ours; its colours are shown."""
    write_stack(portsup.cwd, {"console": CONSOLE}, base_port=ports)
    environ = {**portsup.home.environ, "NO_COLOR": "", "TERM": "xterm"}
    up = Terminal([*COMMAND, "up"], portsup.cwd, environ, size=(100, 30))
    try:
        wait_for_screen(up, f"size 30x{100 - len('console | ')}\n")
        wait_for_screen(up, "\x1b[32mgreen\x1b[0m\n")
        up.type(CTRL_C)
        assert up.wait() == 130
        assert up.is_as_before()
    finally:
        up.close()


@contextlib.contextmanager
def attached_to_screen(portsup: Portsup) -> Iterator[Terminal]:
    """To one that has drawn on the other screen: that, not the lines before it, is what comes."""
    terminal = Terminal([*COMMAND, "attach", "console"], portsup.cwd, portsup.home.environ)
    try:
        wait_for_screen(terminal, "\x1b[?1049h\x1b[?25l")
        assert "at your service" not in terminal.screen
        yield terminal
    finally:
        terminal.close()


@pytest.mark.slow
def test_input_by_a_pipe(portsup: Portsup, ports: int) -> None:
    """All of it is typed, however slowly the service reads, and what it answers is printed; no more."""
    bring_up(portsup, ports)
    assert type_into(portsup, "hello").splitlines() == ["hello", "heard hello"]
    lines = "".join(f"line {number} {'x' * 60}\n" for number in range(4000))
    assert type_into(portsup, f"count\n{lines}end").splitlines()[-1] == "counted 4000"


def test_who_has_no_terminal(portsup: Portsup, ports: int) -> None:
    """Each refusal says what to do."""
    bring_up(portsup, ports, plain={"command": ["sleep", "600"]})
    refused = portsup.run("attach", "plain")
    assert (refused.returncode, "tty = true" in refused.stderr) == (2, True)
    assert portsup.run("attach", "nobody").returncode == 2
    wrong = portsup.run("attach", "console", "--detach-keys", "f1")
    assert (wrong.returncode, "ctrl-p,ctrl-q" in wrong.stderr) == (2, True)


# Clients of another kind


def upgrade(record: InstanceRecord, **params: Any) -> socket.socket:
    """A raw connection that is attached."""
    connection = raw_connection(record.socket)
    connection.sendall(protocol.request(1, "attach", {"service": "console", **params}))
    line = b""
    while not line.endswith(b"\n"):
        line += connection.recv(1)
    assert "result" in json.loads(line)
    return connection


@pytest.mark.slow
def test_nobody_holds_the_service_up(portsup: Portsup, ports: int) -> None:
    """One who doesn't read is shown out; what one types to a deaf service waits; the instance goes on."""
    record = bring_up(portsup, ports)
    supervisor = psutil.Process(record.supervisor.pid)
    memory = supervisor.memory_info().rss
    with upgrade(record) as stalled, upgrade(record) as typist:
        typist.sendall(b"burst 300000\n")
        portsup.wait_for_service(1, "console", "EXITED")
        assert log_of(portsup).count("burst ") == 300_001
        assert b"of output waited for this terminal" in read_all(stalled)
    assert portsup.run("start", "console").returncode == 0
    with upgrade(record) as typist:
        typist.sendall(b"deaf\n")
        wait_for_log(portsup, "deaf\ndeaf")
        typist.settimeout(1)
        with pytest.raises(TimeoutError):
            for _ in range(1000):
                typist.sendall(b"x" * 60_000 + b"\n")
        assert portsup.service(1, "console")["state"] == "RUNNING"
        assert supervisor.memory_info().rss < memory + 30_000_000
        began = time.monotonic()
        assert portsup.run("down").returncode == 0
        assert time.monotonic() - began < 15


def read_all(connection: socket.socket) -> bytes:
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := connection.recv(1 << 16):
            received += chunk
    return received


@pytest.mark.parametrize(
    "params",
    [{"rows": 0, "columns": 80}, {"rows": 24}, {"rows": 10**9, "columns": 1}, {"lines": -1}, {"lines": True}],
    ids=repr,
)
def test_no_terminal_has_such_a_size(portsup: Portsup, ports: int, params: dict[str, Any]) -> None:
    record = bring_up(portsup, ports)
    with raw_connection(record.socket) as connection:
        connection.sendall(protocol.request(1, "attach", {"service": "console", **params}))
        answer = json.loads(connection.makefile("rb").readline())
    assert answer["error"]["code"] == protocol.INVALID_PARAMS
