"""The supervisor's parent: when the supervisor dies for whatever reason, end what is left.

The guard keeps the pid that the user's shell or terminal signals, and does next to nothing: it counts
stop commands, passes them on over a pipe and waits. Both processes are in the terminal's foreground
group and get its signals; only the guard's copy counts.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from supervisor.platform import os_facts
from supervisor.process.forked import fork, hup_is_ignored, make_pipe, run_and_exit

COMMANDS = {
    signal.SIGINT: b"I",
    signal.SIGTERM: b"T",
    signal.SIGHUP: b"H",
    signal.SIGQUIT: b"T",  # Ctrl-\ would end guard and supervisor at once, and leave the services behind
}

PATIENCE = 3
"""The first stop command is for an orderly stop, the second to kill at once; with the third the guard
doesn't rely on the supervisor any more."""

FINISHED = b"finished"
SOCKET = b"socket "


class GuardLink:
    """The supervisor's end of its connection with the guard."""

    commands_fd: int
    """One byte for each INT ("I"), TERM or QUIT ("T") or HUP ("H") that the guard got; end of file when
    the guard is gone."""

    def __init__(self, commands_fd: int, report_fd: int) -> None:
        self.commands_fd = commands_fd
        self._report_fd = report_fd

    def report_finished(self) -> None:
        """Everything that must end has ended: whoever is left below was spared on purpose."""
        self._report(FINISHED)

    def report_socket(self, path: Path) -> None:
        """The control socket stands at `path`: the guard removes it should the supervisor be killed.

        Raises FileNotFoundError if there is none.
        """
        found = os.lstat(path)
        self._report(b"%s%d %d %s" % (SOCKET, found.st_dev, found.st_ino, os.fsencode(path)))

    def _report(self, message: bytes) -> None:
        try:
            os.write(self._report_fd, message + b"\0")
        except OSError:
            pass  # no guard, nobody to tell; commands_fd shows it


def guarded(
    body: Callable[[GuardLink], int], lock_folder: Path, *, close_in_guard: Sequence[int] = ()
) -> int:
    """Fork: the child becomes the supervisor and runs `body`, the parent guards it.

    Returns in the parent only, with the exit code for the whole: the supervisor's, or 128+n if
    signal n killed it. `body` must not raise; call this before anything heavy is imported and before
    a thread is started. `close_in_guard` are descriptors that the supervisor alone goes on using.
    Raises PortsupError if there is no process or descriptor to be had.
    """
    # Children from before: the shell had them that `exec`ed portsup. Not ours to end.
    spared = frozenset(os_facts.children(os.getpid()))
    commands_read, commands_write = make_pipe()
    report_read, report_write = make_pipe()
    os_facts.become_subreaper()
    commands = _take_signals()
    pid = fork()
    if pid == 0:
        os.close(commands_write)
        os.close(report_read)
        _become_supervisor(commands)
        run_and_exit(lambda: body(GuardLink(commands_read, report_write)))
    for descriptor in (commands_read, report_write, *close_in_guard):
        os.close(descriptor)
    return _Guard(pid, commands_write, report_read).run(commands, lock_folder, spared)


def _take_signals() -> frozenset[signal.Signals]:
    """Block what the guard waits for, before the fork, so that nothing is missed. Returns that set."""
    commands = frozenset(signum for signum in COMMANDS if signum != signal.SIGHUP or not hup_is_ignored())
    signal.pthread_sigmask(signal.SIG_BLOCK, {*commands, signal.SIGCHLD})
    # An ignored CHLD, which exec hands down, would make the kernel throw exit statuses away.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    return commands


def _become_supervisor(commands: frozenset[signal.Signals]) -> None:
    """TERM keeps its default until the event loop takes it: it may be meant for this process alone."""
    os_facts.become_subreaper()
    for signum in commands:
        # Not SIG_IGN for the terminal's copies: exec hands that down to the services.
        signal.signal(signum, signal.SIG_DFL if signum == signal.SIGTERM else _leave_it_to_the_guard)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {*commands, signal.SIGCHLD})


def _leave_it_to_the_guard(signum: int, frame: object) -> None:
    pass


class _Guard:
    """What the parent does from the fork on."""

    def __init__(self, supervisor: int, commands_fd: int, report_fd: int) -> None:
        self._supervisor = supervisor
        self._commands_fd = commands_fd
        self._report_fd = report_fd

    def run(self, commands: frozenset[signal.Signals], lock_folder: Path, spared: frozenset[int]) -> int:
        facts = os_facts.process(self._supervisor)
        code = os.waitstatus_to_exitcode(self._wait(commands))
        reports = self._reports()
        os.close(self._commands_fd)
        os.close(self._report_fd)
        if code < 0 or FINISHED not in reports:
            from supervisor.process.sweep import clean_up

            sockets = [report.removeprefix(SOCKET) for report in reports if report.startswith(SOCKET)]
            clean_up(code, facts.owner if facts else None, sockets, lock_folder, spared)
        return code if code >= 0 else 128 - code

    def _wait(self, commands: frozenset[signal.Signals]) -> int:
        """Pass commands on until the supervisor has exited; its wait status."""
        count = 0
        while True:
            got = signal.sigwait({*commands, signal.SIGCHLD})
            if got in commands:
                count += 1
                self._pass_on(COMMANDS[signal.Signals(got)], last=count >= PATIENCE)
            # Whatever woke us: CHLD may tell of somebody else, and two of them may come as one.
            pid, status = os.waitpid(self._supervisor, os.WNOHANG)
            if pid:
                return status

    def _pass_on(self, command: bytes, *, last: bool) -> None:
        if last:
            os.kill(self._supervisor, signal.SIGKILL)
            return
        try:
            os.write(self._commands_fd, command)
        except OSError:
            pass  # it has just died: CHLD is on its way

    def _reports(self) -> list[bytes]:
        # Not until the end of file: a child that is about to exec may hold a copy of the other end.
        os.set_blocking(self._report_fd, False)
        try:
            return os.read(self._report_fd, 65536).split(b"\0")
        except BlockingIOError:
            return []
