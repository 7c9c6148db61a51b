"""Several instances on one terminal, that live and end together: `portsup up --count K`."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence

from supervisor.platform import os_facts
from supervisor.process.forked import hup_is_ignored

COMMANDS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT})


def together(bodies: Sequence[Callable[[], int]]) -> int:
    """Run each body in a process of its own; when one ends badly, stop the others.

    Signals are passed on to all. Returns the worst exit code, or the signal's own if one came.
    """
    # A blocked signal comes even if it is ignored: what nohup(1) asked for is left out by hand.
    commands = COMMANDS - ({signal.SIGHUP} if hup_is_ignored() else set())
    signals = {*commands, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    running = {_fork(body, signals) for body in bodies}
    worst, stopped_by = 0, 0
    while running:
        got = signal.sigwait(signals)
        if got in commands:
            stopped_by = stopped_by or 128 + got
            _pass_on(running, got)
        for code in _ended(running):
            if code and not worst and not stopped_by:
                _pass_on(running, signal.SIGTERM)
            worst = worst or code
    return stopped_by or worst


def _fork(body: Callable[[], int], signals: set[signal.Signals]) -> int:
    """In a process group of its own, so that a Ctrl-C on the terminal reaches only us, and counts once."""
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        os.setpgid(0, 0)
        os_facts.die_with_parent(signal.SIGTERM)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        if os.getppid() == parent:
            code = body()
    except Exception as failure:
        from supervisor.cli.main import fail

        code = fail(failure)
    finally:
        os._exit(code)


def _pass_on(running: set[int], signum: int) -> None:
    for pid in running:
        os.kill(pid, signum)  # our own children, not reaped yet


def _ended(running: set[int]) -> list[int]:
    codes = []
    for pid in list(running):
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            running.discard(pid)
            codes.append(os.waitstatus_to_exitcode(status))
    return [code if code >= 0 else 128 - code for code in codes]
