"""The command for whose sake an instance is up: it starts when all services are ready, and with its end the
instance ends.

It is no unit: it has the user's terminal and is in the guard's process group, as if there were no portsup
between. Whatever it has started ends with it. It depends on every service, so that in every stop it comes
first.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from supervisor.errors import ExitCode, PortsupError
from supervisor.platform import os_facts
from supervisor.platform.contract import Process
from supervisor.process.child import Child, Exit
from supervisor.process.foreground import spawn_in_foreground
from supervisor.process.reap import Forest
from supervisor.snapshot import ServiceSnapshot
from supervisor.supervise.run import LOOK_AGAIN
from supervisor.supervise.unit import Unit

TREE = "portsup run"
"""Its tree's name in the forest; no service can be called that."""

GRACE = 5.0
"""Seconds from SIGTERM to SIGKILL, for a command that has to end before it is done, and for what it left."""

COPY_SECONDS = 1.0
"""A signal to the whole process group reaches the guard too, which tells of it well within this time."""


class Instance(Protocol):
    """What an errand asks of its supervisor."""

    stopping: bool

    async def until_ready(self, timeout: float | None) -> list[Unit]:
        """Who isn't ready when that is decided, or after `timeout` seconds."""
        ...

    def stop(self, exit_code: int, why: str) -> None: ...

    def changed(self) -> None: ...


class Herald(Protocol):
    """Who tells the user about an errand."""

    def not_ready(self, services: Sequence[ServiceSnapshot]) -> None: ...

    def starting(self) -> None: ...

    def not_started(self, error: PortsupError) -> None: ...

    def ended(self, result: Exit) -> None: ...


class Errand:
    def __init__(
        self,
        command: Sequence[str],
        environ: Mapping[str, str],
        forest: Forest,
        herald: Herald,
        *,
        timeout: float | None,
    ) -> None:
        """`timeout`: seconds in which all services must be ready; None leaves that to their own."""
        self.code: int | None = None
        """The command's exit code, or 128+n after signal n."""
        self._command = command
        self._environ = environ
        self._forest = forest
        self._herald = herald
        self._timeout = timeout
        self._child: Child | None = None
        self._exited = asyncio.Event()
        self._gone = False
        self._killing = False
        self._copies: set[int] = set()

    async def run(self, instance: Instance) -> None:
        """From waiting for the services until nothing of the command is left; then stop the instance."""
        unready = await instance.until_ready(self._timeout)
        if instance.stopping:
            return
        if unready:
            self._herald.not_ready([unit.snapshot() for unit in unready])
            instance.stop(ExitCode.SERVICE_FAILED, "not every service is ready")
            return
        try:
            self._start()
        except PortsupError as error:
            self._herald.not_started(error)
            instance.stop(error.exit_code, error.message)
            return
        await self._exited.wait()
        await self._end_tree()
        self._gone = True
        instance.stop(ExitCode.OK, f"{self._command[0]} has ended")
        instance.changed()

    @property
    def running(self) -> bool:
        """Whether the command itself lives."""
        return self._child is not None and not self._child.reaped

    @property
    def over(self) -> bool:
        """Whether the services may be stopped: it has left nothing, or never began."""
        return self._child is None or self._gone

    @property
    def waited_for(self) -> frozenset[int]:
        """Pids whose exit status nobody else may take."""
        return frozenset({self._child.pid} if self._child is not None and self.running else ())

    def _start(self) -> None:
        self._herald.starting()
        self._child = spawn_in_foreground(self._command, self._environ)
        self._forest.plant(TREE, self._child, ())
        asyncio.get_running_loop().add_reader(self._child.exit_fd, self._look_at_exit)

    def _look_at_exit(self) -> None:
        assert self._child is not None
        result = self._child.poll()
        if result is None:
            return
        asyncio.get_running_loop().remove_reader(self._child.exit_fd)
        self._child.close()
        self.code = _exit_code(result)
        self._herald.ended(result)
        self._exited.set()

    # Signals

    def listen(self, alone: Callable[[], None]) -> None:
        """Take note of each signal that reaches this process: if the guard got it too, it went to the whole
        group, and the command has it already. `alone` is called after a TERM for this process only."""
        loop = asyncio.get_running_loop()

        def forget(signum: int) -> None:
            if signum in self._copies:
                self._copies.discard(signum)
                if signum == signal.SIGTERM:
                    alone()

        def note(signum: int, _frame: object) -> None:
            # At once and not by the loop, which may see what the guard tells first.
            self._copies.add(signum)
            loop.call_soon_threadsafe(loop.call_later, COPY_SECONDS, forget, signum)

        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            if signal.getsignal(signum) != signal.SIG_IGN:
                signal.signal(signum, note)

    def pass_on(self, *signals: int) -> None:
        """The guard got one of `signals`: send the first to the command and those of its group, unless they
        have got one of them as the guard did."""
        if self._copies & set(signals):
            self._copies -= set(signals)
            return
        group = os.getpgrp()
        self._send(signals[0], [process for process in self._members() if process.pgid == group])

    # Its end

    def end(self) -> None:
        """Ask it to end, and kill it after GRACE."""
        if self.running:
            self._send(signal.SIGTERM, self._members())
            asyncio.get_running_loop().call_later(GRACE, self.kill)

    def kill(self) -> None:
        """SIGKILL to all of it, and to what it leaves."""
        self._killing = True
        if not self.over:
            self._send(signal.SIGKILL, self._members())

    async def _end_tree(self) -> None:
        """What the command has left behind: helpers in the background, or children of a shell that died."""
        left = self._members()
        self._send(signal.SIGTERM, left)
        loop = asyncio.get_running_loop()
        patience = loop.time() + GRACE
        while left:
            if self._killing or loop.time() > patience:
                self._send(signal.SIGKILL, left)
            await asyncio.sleep(LOOK_AGAIN)
            left = self._members()

    def _members(self) -> list[Process]:
        """Orphans of the group are its own: every service leads a session, and none of them is in it."""
        group = os.getpgrp()
        for stray in self._forest.members(None):
            if stray.pgid == group:
                self._forest.adopt(stray.owner, TREE)
        return self._forest.members(TREE)

    def _send(self, signum: int, processes: Sequence[Process]) -> None:
        for process in processes:
            os_facts.send_signal(process.owner, signum)


def _exit_code(result: Exit) -> int:
    if result.signal is not None:
        return 128 + result.signal
    return ExitCode.INTERNAL if result.code is None else result.code
