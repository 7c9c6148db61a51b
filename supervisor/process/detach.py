"""A daemon: `up -d` returns while its guard and supervisor go on, with nothing of the caller's."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Callable
from typing import BinaryIO

from supervisor.errors import ExitCode, PortsupError
from supervisor.platform import os_facts
from supervisor.platform.contract import Owner
from supervisor.process.forked import fork, hup_is_ignored, make_pipe, run_and_exit

LOOK_EVERY = 0.01
"""Seconds."""


class Answer:
    """The daemon's one answer to the command that started it."""

    fd: int
    """Close-on-exec, so that the caller sees the end of file when the supervisor dies; -1 once the answer
    is given."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __call__(self, facts: dict[str, object]) -> None:
        """Send `facts` as one line of JSON and close. Only the first call counts; a caller that has gone
        away doesn't matter."""
        import json

        if self.fd < 0:
            return
        try:
            with open(self.fd, "wb") as pipe:
                pipe.write(json.dumps(facts).encode() + b"\n")
        except OSError:
            pass
        self.fd = -1


def detached(body: Callable[[Answer], int], take: Callable[[dict[str, object]], None]) -> None:
    """Run `body` in a daemon: a session of its own, none of the caller's descriptors, stdio on /dev/null.

    `body` gets a function that answers the caller once, and `take` gets that answer in the caller. If the
    daemon dies without one, raises PortsupError. Ctrl-C until then goes to the daemon as TERM, and
    KeyboardInterrupt is raised when the daemon is gone; later on, when `take` knows whom to take down.
    """
    read_end, write_end = make_pipe()
    # Ctrl-C has to wait until we know whom to pass it to.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    pid = fork()
    if pid == 0:
        os.close(read_end)
        run_and_exit(lambda: _daemonise(body, write_end))
    os.close(write_end)
    os.waitpid(pid, 0)
    try:
        with open(read_end, "rb") as pipe:
            line = _await_answer(pipe, _parse_owner(pipe.readline()))
        if not line:
            raise PortsupError("the supervisor ended before it was up", hint="its event log says why")
        import json

        take(json.loads(line))
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _daemonise(body: Callable[[Answer], int], write_end: int) -> int:
    """Fork again after setsid: the daemon leads no session, so that it never gets a terminal."""
    os.setsid()
    if fork():
        return ExitCode.OK
    # Above stdio: a caller that was started without a standard input gets pipes with these numbers.
    answer = Answer(fcntl.fcntl(write_end, fcntl.F_DUPFD_CLOEXEC, 3))
    _reset_signals()
    _close_all_but(answer.fd)
    if facts := os_facts.process(os.getpid()):
        os.write(answer.fd, b"%d %d\n" % (facts.pid, facts.started))
    return body(answer)


def _reset_signals() -> None:
    """As at the start of a program, save what Python itself ignores, and nohup's HUP."""
    kept = {signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE, signal.SIGXFSZ}
    if hup_is_ignored():
        kept.add(signal.SIGHUP)
    for signum in signal.valid_signals() - kept:
        signal.signal(signum, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _close_all_but(kept: int) -> None:
    for name in os.listdir("/dev/fd"):  # noqa: PTH208 - numbers, not paths
        if int(name) > 2 and int(name) != kept:
            try:
                os.close(int(name))
            except OSError:
                pass  # the one that the listing itself took
    null = os.open(os.devnull, os.O_RDWR)  # last: until here, stderr can be told that there are no more
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    if null > 2:
        os.close(null)


def _parse_owner(line: bytes) -> Owner | None:
    """The daemon's first line; there is none if it died before."""
    words = line.split()
    return Owner(int(words[0]), int(words[1])) if len(words) == 2 else None


def _await_answer(pipe: BinaryIO, daemon: Owner | None) -> bytes:
    """With SIGINT blocked again."""
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        line = pipe.readline()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        return line
    except KeyboardInterrupt:
        while daemon is not None and os_facts.is_alive(daemon):
            _stop(daemon)
        raise


def _stop(daemon: Owner) -> None:
    """TERM, and wait; every further Ctrl-C is one more stop command, as in the foreground."""
    try:
        os_facts.send_signal(daemon, signal.SIGTERM)
        while os_facts.is_alive(daemon):
            time.sleep(LOOK_EVERY)
    except KeyboardInterrupt:
        pass
