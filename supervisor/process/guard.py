"""The supervisor's parent: when the supervisor dies for whatever reason, end what is left.

The guard keeps the pid that the user's shell or terminal signals, and does next to nothing (`vigil.py`):
it counts stop commands, passes them on over a pipe and waits. Both processes are in the terminal's
foreground group and get its signals; only the guard's copy counts.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from supervisor.errors import ExitCode, PortsupError
from supervisor.platform import os_facts
from supervisor.process.forked import fork, hup_is_ignored, make_pipe, run_and_exit
from supervisor.process.vigil import COMMANDS, FINISHED, PIPE_BYTES, SOCKET, Vigil

CODE = "PORTSUP_VIGIL_CODE"
PROGRAM = (
    f"import os, sys; sys.path[:] = os.environ['{CODE}'].split(chr(10)); "
    "from supervisor.process.vigil import main; main()"
)
"""Not PYTHONPATH: a folder's name may hold its separator."""


class GuardLink:
    """The supervisor's end of its connection with the guard."""

    commands_fd: int
    """One byte for each INT ("I"), TERM or QUIT ("T") or HUP ("H") that the guard got; end of file when
    the guard is gone."""

    def __init__(self, commands_fd: int, report_pipe: tuple[int, int]) -> None:
        """`report_pipe` is both ends of the one that the guard reads when the supervisor is dead."""
        self.commands_fd = commands_fd
        self._report_pipe = report_pipe
        self._sockets: dict[Path, bytes] = {}
        for end in report_pipe:
            os.set_blocking(end, False)

    def report_finished(self) -> None:
        """Everything that must end has ended: whoever is left below was spared on purpose."""
        self._report(FINISHED)

    def report_socket(self, path: Path) -> None:
        """The control socket stands at `path`: the guard removes it should the supervisor be killed.

        Raises FileNotFoundError if there is none.
        """
        found = os.lstat(path)
        self._sockets[path] = b"%s%d %d %s" % (SOCKET, found.st_dev, found.st_ino, os.fsencode(path))
        self._report(*self._sockets.values())

    def _report(self, *messages: bytes) -> None:
        """Instead of what was said before: nobody reads while the supervisor lives, and a full pipe would
        take no more."""
        unread, write_end = self._report_pipe
        with suppress(BlockingIOError):
            os.read(unread, PIPE_BYTES)
        with suppress(BlockingIOError):
            os.write(write_end, b"".join(message + b"\0" for message in messages))


def guarded(body: Callable[[GuardLink], int], lock_folder: Path) -> NoReturn:
    """Fork: the child becomes the supervisor and runs `body`, the parent becomes its guard.

    The process exits with the code for the whole: the supervisor's, or 128+n if signal n killed it.
    `body` must not raise; call this before a thread is started. Raises PortsupError if there is no
    process or descriptor to be had.
    """
    Standby(lambda link, _order: body(link)).begin(b"", lock_folder)


class Standby:
    """A supervisor that is forked already, and waits for what it is to do.

    So it can load what it needs while its parent, which is to be its guard, still reads the command line.
    Until `begin` nothing has happened: it ends as soon as its parent does, whatever that dies of.
    """

    pid: int

    def __init__(
        self,
        body: Callable[[GuardLink, bytes], int],
        load: Callable[[Callable[[], bool]], None] = lambda _begun: None,
    ) -> None:
        """`body` gets the order that `begin` is given; `load` is called before that, with a question
        whether the order is there. Call this before a thread is started. Raises PortsupError."""
        self._commands, self._reports, self._order = _make_pipes(3)
        self._signals = frozenset(
            signum for signum in COMMANDS if signum != signal.SIGHUP or not hup_is_ignored()
        )
        # An ignored CHLD, which exec hands down, would make the kernel throw exit statuses away.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os_facts.become_subreaper()
        # Before the fork: what a terminal sends to both from here on, only the parent's copy of it counts.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, self._signals)
        self.pid = fork()
        if self.pid == 0:
            run_and_exit(lambda: self._wait(body, load))
        _close(self._commands[0], self._order[0])
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _wait(
        self, body: Callable[[GuardLink, bytes], int], load: Callable[[Callable[[], bool]], None]
    ) -> int:
        """In the child."""
        _close(self._commands[1], self._order[1])
        load(self._has_begun)
        with open(self._order[0], "rb") as pipe:
            order = pipe.read()
        if not order.endswith(COMPLETE):
            return ExitCode.OK  # nobody is there to be told
        _become_supervisor(self._signals)
        return body(GuardLink(self._commands[0], self._reports), order.removesuffix(COMPLETE))

    def _has_begun(self) -> bool:
        return bool(select.select((self._order[0],), (), (), 0)[0])

    def begin(self, order: bytes, lock_folder: Path) -> NoReturn:
        """Let it go on with `order`, and become its guard."""
        # Children from before: the shell had them that `exec`ed portsup. Not ours to end.
        spared = frozenset(os_facts.children(os.getpid())) - {self.pid}
        # What the guard waits for, so that nothing is missed.
        signal.pthread_sigmask(signal.SIG_BLOCK, {*self._signals, signal.SIGCHLD})
        facts = os_facts.process(self.pid)
        assert facts is not None, "a zombie at the least: only we wait for it"
        self._tell(order)
        vigil = Vigil(
            (self.pid, facts.started),
            commands_fd=self._commands[1],
            report_fd=self._reports[0],
            commands=self._signals,
            spared=spared,
            lock_folder=str(lock_folder),
            children_file=os_facts.children_file(os.getpid()) or "",
        )
        _become_guard(vigil, keep=(self._commands[1], self._reports[0]))

    def _tell(self, order: bytes) -> None:
        try:
            with open(self._order[1], "wb") as pipe:
                pipe.write(order + COMPLETE)
        except BrokenPipeError:
            pass  # it has died already, and its exit status says of what

    def dismiss(self) -> None:
        """It isn't needed."""
        _close(self._commands[1], self._order[1], *self._reports)
        os.kill(self.pid, signal.SIGKILL)  # our own child, not reaped yet
        os.waitpid(self.pid, 0)


COMPLETE = b"\0"
"""The end of an order: without it, whoever wrote it died."""


def _make_pipes(count: int) -> list[tuple[int, int]]:
    """All or none. Raises PortsupError."""
    pipes: list[tuple[int, int]] = []
    try:
        while len(pipes) < count:
            pipes.append(make_pipe())
    except PortsupError:
        _close(*(end for pipe in pipes for end in pipe))
        raise
    return pipes


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


START_SECONDS = 1.0
"""Python needs as much CPU to start as a small service: that of the guard waits until they are up."""


def _become_guard(vigil: Vigil, keep: Sequence[int]) -> NoReturn:
    """For START_SECONDS as this process, then as a program of its own: blocked signals, those that are
    pending, and being a subreaper outlast its exec. Should that fail, the supervisor sees its guard gone, and
    stops."""
    _close_as_exec_would(keep)
    if hasattr(signal, "sigtimedwait"):  # macOS has none
        ended = vigil.keep_for(START_SECONDS)
        if ended is not None:
            os._exit(ended)
    for descriptor in keep:
        os.set_inheritable(descriptor, True)
    # Without `site`: what that would add to the path is in ours, and .pth files cost time and memory. The
    # words of the command are for whoever reads a list of processes.
    words = (sys.executable, "-P", "-S", "-c", PROGRAM, *sys.argv[1:])
    # The last folder is for those whose import hooks know where we are.
    code = "\n".join([*sys.path, str(Path(__file__).parents[2])])
    os.execve(sys.executable, words, {**os.environ, CODE: code, **vigil.environ()})


def _close_as_exec_would(keep: Sequence[int]) -> None:
    """A caller waits for the end of a pipe that we would hold open."""
    for name in os.listdir("/dev/fd"):  # noqa: PTH208 - numbers, not paths
        descriptor = int(name)
        try:
            if descriptor not in keep and not os.get_inheritable(descriptor):
                os.close(descriptor)
        except OSError:
            pass  # the one that the listing itself took


def _become_supervisor(commands: Iterable[int]) -> None:
    """TERM keeps its default until the event loop takes it: it may be meant for this process alone."""
    os_facts.become_subreaper()
    for signum in commands:
        # Not SIG_IGN for the terminal's copies: exec hands that down to the services.
        signal.signal(signum, signal.SIG_DFL if signum == signal.SIGTERM else _leave_it_to_the_guard)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {*commands, signal.SIGCHLD})


def _leave_it_to_the_guard(signum: int, frame: object) -> None:
    pass
