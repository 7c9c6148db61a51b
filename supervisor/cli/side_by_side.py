"""One command against several instances at the same time: `portsup run --count K`.

Each runs in a process of its own, whose group is as the foreground of a terminal that it has not: guard,
supervisor and command. What they write comes through pipes and goes on as whole lines, with the instance's
number before each. A reader who is slow slows the commands down, as it would without us.
"""

from __future__ import annotations

import os
import selectors
import signal
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from supervisor.cli.herald import STARTED
from supervisor.errors import ExitCode
from supervisor.lines import Lines, prefixed
from supervisor.platform import os_facts
from supervisor.process.forked import fork, hup_is_ignored, make_pipe

COMMANDS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT})

CHUNK = 1 << 16

Body = Callable[[int], None]
"""Runs one instance and its command, and doesn't return; gets the descriptor to report to."""


def side_by_side(bodies: Sequence[Body]) -> int:
    """Returns the highest exit code. One that doesn't get as far as its command ends the others, and then
    the exit code is its own."""
    runs = Runs()
    try:
        runs.take_signals()
        for body in bodies:
            runs.start(body)
        return runs.until_over()
    finally:
        runs.close()


class _Run:
    """One of them: its process, and what comes from it."""

    def __init__(self, pid: int, streams: dict[int, int], reports: int) -> None:
        """`streams`: read end of a pipe → our own descriptor to which its lines go."""
        self.pid = pid
        self.streams = streams
        self.reports = reports
        self.code: int | None = None
        self._reported = b""
        self._lines = {source: Lines(self._writer(to)) for source, to in streams.items()}

    @property
    def started(self) -> bool:
        """Whether its command was started."""
        return self._reported.endswith(STARTED)

    def _prefix(self) -> bytes:
        number = self._reported.partition(b"\n")[0]
        return number + b" | " if number else b""

    def _writer(self, to: int) -> Callable[[bytes], None]:
        return lambda lines: _write(to, prefixed(self._prefix(), lines))

    def read(self, source: int) -> bool:
        """Pass on what is there; False at its end."""
        data = os.read(source, CHUNK)
        if source == self.reports:
            self._reported += data
        elif data:
            self._lines[source](data)
        else:
            self._lines[source].finish()
        return bool(data)


class Runs:
    def __init__(self) -> None:
        self._runs: list[_Run] = []
        self._selector = selectors.DefaultSelector()
        self._stopping = False
        self._failed_start = 0

    # Signals

    def take_signals(self) -> None:
        """Passed on by the handler itself: the loop may be waiting for whoever reads our output."""
        for signum in COMMANDS - ({signal.SIGHUP} if hup_is_ignored() else set()):
            signal.signal(signum, self._on_command)

    def _on_command(self, signum: int, _frame: object) -> None:
        self._stopping = True
        self._pass_on(signum)

    def _pass_on(self, signum: int) -> None:
        """To the whole group, as a terminal does it."""
        for run in self._runs:
            if run.code is None:
                os.killpg(run.pid, signum)  # our own child leads it, and isn't reaped yet

    # From the first to the last

    def start(self, body: Body) -> None:
        """Raises PortsupError."""
        pipes = [make_pipe() for _ in range(3)]
        # A signal must find a child in our list, or meet it when it has its own ways with signals again.
        signal.pthread_sigmask(signal.SIG_BLOCK, COMMANDS)
        parent = os.getpid()
        (out, err, reports), write_ends = zip(*pipes, strict=True)
        pid = fork()
        if pid == 0:
            # Else the others' supervisors would hold what their commands write to, after we have closed it.
            _close([out, err, reports, *(key.fd for key in self._selector.get_map().values())])
            _become(body, parent, write_ends)
        with suppress(PermissionError):  # EACCES: it has done so, and executed its guard since; setpgid(2)
            os.setpgid(pid, pid)  # here too: whoever is first
        _close(write_ends)
        run = _Run(pid, {out: 1, err: 2}, reports)
        self._runs.append(run)
        for source in (out, err, reports):
            self._selector.register(source, selectors.EVENT_READ, run)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, COMMANDS)

    def until_over(self) -> int:
        while self._selector.get_map():
            ready = [(key.data, key.fd) for key, _ in self._selector.select()]
            # A number that was reported before a line was written comes before that line.
            for run, source in sorted(ready, key=lambda one: one[1] != one[0].reports):
                self._flow(run, source)
        for run in self._runs:
            self._reap(run)
        return self._failed_start or max(run.code or 0 for run in self._runs)

    def _flow(self, run: _Run, source: int) -> None:
        try:
            if run.read(source):
                return
        except OSError:
            pass  # our own reader went away: so has the command's, who gets to know when it writes
        self._selector.unregister(source)
        os.close(source)
        if source == run.reports and not run.started:
            self._give_up(run)

    def _give_up(self, run: _Run) -> None:
        """Its supervisor ended without having started the command."""
        if not self._stopping:
            self._stopping = True
            self._reap(run)
            self._failed_start = run.code or ExitCode.SERVICE_FAILED
            self._pass_on(signal.SIGTERM)

    def _reap(self, run: _Run) -> None:
        if run.code is None:
            _, status = os.waitpid(run.pid, 0)
            code = os.waitstatus_to_exitcode(status)
            run.code = code if code >= 0 else 128 - code

    def close(self) -> None:
        self._selector.close()


def _become(body: Body, parent: int, write_ends: Sequence[int]) -> None:
    """In the child. Doesn't return."""
    code: int = ExitCode.INTERNAL
    try:
        os.setpgid(0, 0)
        # Not TERM: a guard that is killed is how a supervisor learns that the command is to end as well.
        os_facts.die_with_parent(signal.SIGKILL)
        for signum in COMMANDS:
            if signal.getsignal(signum) != signal.SIG_IGN:
                signal.signal(signum, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, COMMANDS)
        out, err, reports = write_ends
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        if os.getppid() == parent:
            body(reports)
    except BaseException as failure:
        from supervisor.cli.main import fail

        code = fail(failure)
    finally:
        os._exit(code)


def _close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
