"""One run of a unit's command on the event loop: its output, its exit, and how its tree is ended.

Exists from the spawn until nothing of the tree is left; what that means for the unit is the unit's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, NamedTuple

from supervisor.config.model import Stop
from supervisor.lines import Lines
from supervisor.platform import Process, os_facts
from supervisor.process import stop
from supervisor.process.child import Exit
from supervisor.process.reap import Forest
from supervisor.supervise.launcher import Started
from supervisor.supervise.logs import Pump, Sink

if TYPE_CHECKING:
    from supervisor.supervise.keyboard import Keyboard
    from supervisor.supervise.line_ends import LineEnds

LOOK_AGAIN = 0.02
"""Seconds between looks at a tree that is being ended. Most ends are seen at once by SIGCHLD; this is
for what the kernel doesn't tell, as a process that is forked while its parent is killed."""


class Report(NamedTuple):
    """Whom a run tells, each at most once."""

    exited: Callable[[Exit], None]
    """The first process is gone."""
    overdue: Callable[[], None]
    """The tree was asked to end and hasn't, for as long as the service's stop allows."""
    gone: Callable[[], None]
    """After `ask` or `kill`: nothing is left, and the run is over."""


class Run:
    def __init__(
        self,
        unit: str,
        started: Started,
        how: Stop,
        forest: Forest,
        log: Sink,
        line_sinks: Sequence[Callable[[bytes], None]],
        report: Report,
    ) -> None:
        """`log` gets every byte of output, `line_sinks` get whole lines."""
        self.started = started
        self.child = started.child
        self._unit = unit
        self._how = how
        self._forest = forest
        self._report = report
        self._lines = [Lines(sink) for sink in line_sinks]
        self.keyboard: Keyboard | None = None
        self._line_ends: LineEnds | None = None
        sinks: list[Sink] = [log, *self._lines]
        self._pump = self._pump_of_terminal(sinks) if self._on_terminal else Pump(self.child.output_fd, sinks)
        self._ending = self._killing = False
        self._patience: asyncio.TimerHandle | None = None
        self._next_look: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self.child.output_fd, self._flow)
        self._loop.add_reader(self.child.exit_fd, self._look_at_exit)

    @property
    def _on_terminal(self) -> bool:
        return self.child.terminal_fd >= 0

    def _pump_of_terminal(self, sinks: Sequence[Sink]) -> Pump:
        """Those who are attached get what is printed as it is, the others plain lines."""
        from supervisor.supervise.keyboard import Keyboard
        from supervisor.supervise.line_ends import LineEnds

        self.keyboard = Keyboard(self.child.output_fd)
        self._line_ends = LineEnds(sinks)
        return Pump(self.child.output_fd, [self.keyboard.show, self._line_ends], scant=1)

    def _flow(self) -> None:
        if not self._pump.flow():
            self._loop.remove_reader(self.child.output_fd)

    def _look_at_exit(self) -> None:
        result = self.child.poll()
        if result is not None:
            self._loop.remove_reader(self.child.exit_fd)
            self._pump.drain()
            self._report.exited(result)

    # The tree

    @property
    def members(self) -> Sequence[Process]:
        """All of the tree that live."""
        return self._forest.members(self._unit)

    @property
    def remaining(self) -> list[Process]:
        """Those who must be gone for a stop to be done."""
        return stop.remaining(self.child, self._forest, self._unit, self._how.mode)

    def listens_on(self, ports: Collection[int]) -> bool:
        """Whether somebody of the tree listens on one of `ports`."""
        adopt_strays(self._forest, self._unit, ports)
        return bool(_listen(self.members, ports))

    # Its end

    def stop_by(self, how: Stop) -> None:
        """How it is to be stopped, if that hasn't begun."""
        if not self._ending:
            self._how = how

    def ask(self) -> None:
        """Send the stop signal."""
        self._ending = True
        self._patience = self._loop.call_later(self._how.timeout, self._report.overdue)
        self._look_later()
        stop.ask(self.child, self._forest, self._unit, self._how)

    def kill(self) -> None:
        """SIGKILL to all that remain, and to what they fork meanwhile."""
        self._ending = self._killing = True
        if self._patience is not None:
            self._patience.cancel()
        self._look_later()
        stop.kill(self.child, self._forest, self._unit, self._how.mode)

    @property
    def ending(self) -> bool:
        """Asked or killed, and not over yet."""
        return self._ending

    def look_at(self, members: Sequence[Process]) -> None:
        """These are what lives of the tree, as was just seen: is it over?"""
        if self._ending and not stop.remaining_of(self.child, members, self._how.mode):
            self._close()
            self._report.gone()

    def _look_later(self) -> None:
        if self._next_look is not None:
            self._next_look.cancel()
        self._next_look = self._loop.call_later(LOOK_AGAIN, self._look_again)

    def _look_again(self) -> None:
        self._look_later()  # first: a look may fail, as where the machine has no descriptors left
        self.look_at(self.members)
        if self._ending and self._killing:
            stop.kill(self.child, self._forest, self._unit, self._how.mode)

    def _close(self) -> None:
        """Pass on the last output. Whoever was spared on purpose finds its pipe closed."""
        self._ending = False
        for timer in (self._patience, self._next_look):
            if timer is not None:
                timer.cancel()
        self._loop.remove_reader(self.child.exit_fd)
        self._loop.remove_reader(self.child.output_fd)
        self._pump.drain()
        if self._line_ends is not None:
            self._line_ends.finish()
        for lines in self._lines:
            lines.finish()
        if self.keyboard is not None:
            self.keyboard.end(f"{self._unit} ended with {self.child.poll() or Exit()}")
        self.child.close()


def adopt_strays(forest: Forest, unit: str, ports: Collection[int]) -> None:
    """An orphan without session, marker and descriptors of ours is told by listening on a unit's port."""
    for stray in _listen(forest.members(None), ports):
        forest.adopt(stray.owner, unit)


def _listen(processes: Sequence[Process], ports: Collection[int]) -> list[Process]:
    """Those that listen on one of `ports`."""
    if not processes or not ports:
        return []
    listening = {listener.inode for listener in os_facts.listeners(ports)}
    return [process for process in processes if listening & os_facts.open_sockets(process.pid)]
