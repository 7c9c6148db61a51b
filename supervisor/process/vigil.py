"""What the guard does: wait for the supervisor's end. Soon after the start, as a program of its own.

A guard that went on in the command that forked it would keep that one's memory for as long as the
instance lives: every page of it that the supervisor writes to becomes the guard's alone. So this imports
next to nothing.
"""

from __future__ import annotations

# Not `signal`: its enums would be a fifth of all the memory that the guard has.
import _signal  # type: ignore[import-not-found]
import os

# Not when it is needed: by then the code on the disk may have been replaced or removed.
from supervisor.process.sweep import clean_up

COMMANDS = {
    _signal.SIGINT: b"I",
    _signal.SIGTERM: b"T",
    _signal.SIGHUP: b"H",
    _signal.SIGQUIT: b"T",  # Ctrl-\ would end guard and supervisor at once, and leave the services behind
}

PATIENCE = 3
"""The first stop command is for an orderly stop, the second to kill at once; with the third the guard
doesn't rely on the supervisor any more."""

VARIABLE = "PORTSUP_VIGIL"
"""What the guard has to know is in its environment, which unlike its command line is nobody's reading."""

FINISHED = b"finished"
SOCKET = b"socket "

PIPE_BYTES = 65536
"""What a pipe holds at most: all that was reported."""


def main() -> None:
    """Exits with the code for the whole, at once: there is nothing for the interpreter to wind up."""
    os._exit(Vigil.from_environ().keep())


class Vigil:
    def __init__(
        self,
        supervisor: tuple[int, int],
        *,
        commands_fd: int,
        report_fd: int,
        commands: frozenset[int],
        spared: frozenset[int],
        lock_folder: str,
        children_file: str,
    ) -> None:
        """`supervisor` is its pid and start time, `commands` the signals that are stop commands,
        `spared` the guard's children from before, which it never waits for, and `children_file` what
        the platform says of where a process can read who its children are."""
        self._supervisor = supervisor
        self._commands_fd = commands_fd
        self._report_fd = report_fd
        self._commands = commands
        self._spared = spared
        self._lock_folder = lock_folder
        self._children_file = children_file

    def environ(self) -> dict[str, str]:
        """For `from_environ` on the other side of an exec."""
        lists = (self._supervisor, (self._commands_fd, self._report_fd), self._commands, self._spared)
        words = [*(",".join(map(str, numbers)) for numbers in lists), self._children_file, self._lock_folder]
        return {VARIABLE: "\n".join(words)}

    @staticmethod
    def from_environ() -> Vigil:
        *lists, children_file, lock_folder = os.environ[VARIABLE].split("\n", 5)
        supervisor, pipes, commands, spared = ([int(n) for n in text.split(",") if n] for text in lists)
        return Vigil(
            (supervisor[0], supervisor[1]),
            commands_fd=pipes[0],
            report_fd=pipes[1],
            commands=frozenset(commands),
            spared=frozenset(spared),
            lock_folder=lock_folder,
            children_file=children_file,
        )

    def keep(self) -> int:
        """Wait for the supervisor's end, and end whatever it didn't. Returns the code for the whole."""
        status = self._wait(None)
        assert status is not None, "it has all the time that there is"
        return self._conclude(status)

    def keep_for(self, seconds: float) -> int | None:
        """The same, or None if nothing came in so many seconds."""
        status = self._wait(seconds)
        return None if status is None else self._conclude(status)

    def _conclude(self, status: int) -> int:
        code = os.waitstatus_to_exitcode(status)
        reports = self._reports()
        os.close(self._commands_fd)
        os.close(self._report_fd)
        if code < 0 or FINISHED not in reports:
            sockets = [report[len(SOCKET) :] for report in reports if report.startswith(SOCKET)]
            clean_up(code, self._supervisor, sockets, self._lock_folder, self._children)
        return code if code >= 0 else 128 - code

    def _wait(self, seconds: float | None) -> int | None:
        """Pass commands on until the supervisor has exited; its wait status. None if for so many seconds
        nothing came; once there was a command there is no such end."""
        count = 0
        # Before the first wait too: if it died before CHLD was blocked, nothing wakes us. And after whatever
        # woke us: CHLD may tell of somebody else, and two of them may come as one.
        while not (ended := os.waitpid(self._supervisor[0], os.WNOHANG))[0]:
            got = self._next_signal(seconds)
            if got is None:
                return None
            if got in self._commands:
                seconds = None
                count += 1
                self._pass_on(COMMANDS[got], last=count >= PATIENCE)
        return ended[1]

    def _next_signal(self, seconds: float | None) -> int | None:
        signals = {*self._commands, _signal.SIGCHLD}
        if seconds is None:
            return int(_signal.sigwait(signals))
        info = _signal.sigtimedwait(signals, seconds)
        return None if info is None else int(info.si_signo)

    def _pass_on(self, command: bytes, *, last: bool) -> None:
        if last:
            os.kill(self._supervisor[0], _signal.SIGKILL)
            return
        try:
            os.write(self._commands_fd, command)
        except OSError:
            pass  # it has just died: CHLD is on its way

    def _reports(self) -> list[bytes]:
        # Not until the end of file: a child that is about to exec may hold a copy of the other end.
        os.set_blocking(self._report_fd, False)
        try:
            return os.read(self._report_fd, PIPE_BYTES).split(b"\0")
        except BlockingIOError:
            return []

    def _children(self) -> list[int]:
        """Those that are left, save the spared ones."""
        if self._children_file:
            with open(self._children_file, "rb", buffering=0) as file:
                found = [int(pid) for pid in file.read().split()]
        else:
            from supervisor.platform import os_facts

            found = os_facts.children(os.getpid())
        return [pid for pid in found if pid not in self._spared]
