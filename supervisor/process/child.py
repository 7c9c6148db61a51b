"""A process that a unit runs, from spawn to exit status. Knows nothing of event loops."""

from __future__ import annotations

import errno
import os
import signal
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from supervisor.config.signals import signal_name
from supervisor.platform import os_facts
from supervisor.platform.contract import Owner

if TYPE_CHECKING:
    import subprocess

SHELL_CODES = {126: "not executable", 127: "command not found"}
"""What sh(1) and env(1) mean by their exit codes."""

SIGNAL_MEANINGS = {
    "ABRT": "aborted itself",
    "BUS": "bus error",
    "FPE": "arithmetic error",
    "HUP": "terminal gone",
    "ILL": "illegal instruction",
    "INT": "interrupted",
    "KILL": "killed; out of memory?",
    "PIPE": "nobody reads its output",
    "SEGV": "segmentation fault",
    "SYS": "forbidden system call",
    "TERM": "terminated",
    "XCPU": "out of CPU time",
    "XFSZ": "file too large",
}
"""What it means to a service that no portsup has sent the signal to."""


class Exit(NamedTuple):
    """How a child ended: by exit code or by signal; with neither, that can't be known."""

    code: int | None = None
    signal: int | None = None

    @property
    def ok(self) -> bool:
        return self.code == 0

    def __str__(self) -> str:
        """In words: "code 1", "code 127 (command not found)", "signal KILL", "unknown"."""
        if self.signal is not None:
            return f"signal {signal_name(self.signal)}"
        if self.code is None:
            return "unknown"
        meaning = SHELL_CODES.get(self.code)
        return f"code {self.code} ({meaning})" if meaning else f"code {self.code}"

    def explained(self) -> str:
        """As `str`, with what that mostly means: "signal SEGV (segmentation fault)". A shell passes on a
        signal as 128 and its number: "code 137 (signal KILL: killed; out of memory?)"."""
        if self.signal is not None:
            meaning = SIGNAL_MEANINGS.get(signal_name(self.signal))
            return f"{self} ({meaning})" if meaning else str(self)
        name = signal_name((self.code or 0) - 128)
        meaning = SIGNAL_MEANINGS.get(name)
        return f"{self} (signal {name}: {meaning})" if meaning else str(self)

    @staticmethod
    def from_words(text: str) -> Exit:
        """From what `str` gives; unknown for what it doesn't."""
        kind, _, rest = text.partition(" ")
        what = rest.partition(" ")[0]
        if kind == "code" and what.isdecimal():
            return Exit(code=int(what))
        if kind == "signal":
            number = int(what) if what.isdecimal() else getattr(signal, f"SIG{what}", None)
            return Exit(signal=number)
        return Exit()

    @staticmethod
    def from_status(status: int) -> Exit:
        """From what wait(2) gives."""
        code = os.waitstatus_to_exitcode(status)
        return Exit(signal=-code) if code < 0 else Exit(code=code)


class Child:
    """Leader of a session and process group of its own."""

    pid: int
    exit_fd: int
    """Becomes readable when it exits; -1 once closed."""
    output_fd: int
    """Read end of the pipe that stdout and stderr share, or our end of its terminal, non-blocking; -1 once
    closed."""
    terminal_fd: int
    """Its own end of its terminal; -1 without one, or once closed. Kept open, so that ours is never at its
    end: a child may close its terminal and open it again."""

    def __init__(
        self, popen: subprocess.Popen[bytes], exit_fd: int, output_fd: int, terminal_fd: int = -1
    ) -> None:
        self.pid = popen.pid
        self.exit_fd = exit_fd
        self.output_fd = output_fd
        self.terminal_fd = terminal_fd
        self._popen = popen
        self._exit: Exit | None = None

    @cached_property
    def owner(self) -> Owner:
        """Read when it is asked for, at the latest just before it is reaped: until then its pid is nobody
        else's, and /proc/PID/stat of a process that is just at its exec makes the reader wait, which fifty
        spawns in a row feel. Raises ProcessLookupError if somebody else has reaped it, or /proc hides it."""
        facts = os_facts.process(self.pid)
        if facts is None:
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
        return facts.owner

    @property
    def reaped(self) -> bool:
        """Whether the pid has been given back to the kernel, so that it may come to mean another process."""
        return self._exit is not None

    def poll(self) -> Exit | None:
        """Reap it if it has exited. The same answer again afterwards."""
        if self._exit is None:
            self._exit = self._wait()
            if self._exit is not None:
                # Popen.poll would call a status that somebody else took code 0. It needs the code all the
                # same, or it warns of a process that still runs when it is collected.
                self._popen.returncode = self._exit.code if self._exit.code is not None else -1
        return self._exit

    def _wait(self) -> Exit | None:
        try:
            pid, status = os.waitpid(self.owner.pid, os.WNOHANG)  # not self.pid: see owner
        except (ChildProcessError, ProcessLookupError):
            return Exit()
        return Exit.from_status(status) if pid else None

    def signal_group(self, signum: int) -> bool:
        """Signal its process group; only while the leader isn't reaped, so that the number is still its.

        False if it is reaped, or nobody there may be signalled.
        """
        if self.reaped:
            return False
        try:
            os.killpg(self.pid, signum)
        except OSError:
            return False
        return True

    def discard(self) -> None:
        """End one that can't be supervised."""
        with suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)
        self._popen.wait()
        self._exit = Exit()
        self.close()

    def close(self) -> None:
        """Close all descriptors; safe to call twice."""
        for descriptor in (self.exit_fd, self.output_fd, self.terminal_fd):
            if descriptor >= 0:
                os.close(descriptor)
        self.exit_fd = self.output_fd = self.terminal_fd = -1
