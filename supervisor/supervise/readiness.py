"""Whether a unit's child is ready: the check of `ready.py` that its service asks for, at work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from supervisor.config.model import ReadyKind
from supervisor.errors import PortsupError
from supervisor.plan.plan import UnitPlan
from supervisor.ports.reserve import Reservation
from supervisor.process.child import Child
from supervisor.supervise.launcher import Launcher, Started
from supervisor.supervise.ready import LogCheck, NotifySocket, Waits, explain, waits_for


class Readiness:
    def __init__(
        self,
        unit: UnitPlan,
        launcher: Launcher,
        notify_path: Callable[[str], Path],
        ready: Callable[[], None],
        failed: Callable[[str], None],
        bound: Callable[[Path], None],
    ) -> None:
        """`ready` or `failed` (with the reason) is called once for each child that has a check, `bound` for
        each socket that is made.

        Raises PortsupError if the socket of a service that notifies can't be made.
        """
        self._launcher = launcher
        self._notify_path = notify_path
        self._ready = ready
        self._failed = failed
        self._bound = bound
        self._notify: NotifySocket | None = None
        self.adopt_plan(unit)
        self._waits: Waits | None = None
        self._task: asyncio.Task[None] | None = None
        self._commands: set[Child] = set()

    def adopt_plan(self, unit: UnitPlan) -> None:
        """What the next child's check is. Raises PortsupError as the constructor does."""
        self._unit = unit
        notifies = unit.service.ready.kind is ReadyKind.NOTIFY
        if self._notify is not None and not notifies:
            self._notify.close()
            self._notify = None
        elif self._notify is None and notifies:
            self._notify = NotifySocket(self._notify_path(unit.name))
            self._bound(self._notify.path)

    def variables(self) -> dict[str, str]:
        """What the next child is to have in its environment."""
        if self._notify is None:
            return {}
        self._notify.forget()
        return {"NOTIFY_SOCKET": str(self._notify.path)}

    def prepare(self, started: Started, reservations: list[Reservation], port: int | None) -> None:
        """A new child, whose main port is `port`: from now on it is known who wants its lines."""
        run = partial(self._run_command, started, reservations)
        self._waits = waits_for(started.launch.ready, port, run, self._notify)

    @property
    def line_sinks(self) -> Sequence[Callable[[bytes], None]]:
        return [self._waits] if isinstance(self._waits, LogCheck) else []

    def begin(self, started: Started) -> bool:
        """Start to wait; False if there is nothing to wait for: being spawned is enough."""
        if self._waits is None:
            return False
        self._task = asyncio.create_task(self._wait(started, self._waits))
        return True

    async def _wait(self, started: Started, waits: Waits) -> None:
        ready = started.launch.ready
        try:
            async with asyncio.timeout(ready.timeout):
                await waits.wait()
        except TimeoutError:
            from supervisor import masking

            # A server that refuses may quote what it was asked for, a token in the path included.
            why = masking.without(explain(ready, waits), masking.secrets_of(started.launch.env))
            self._failed(f"not ready within {ready.timeout:g} s: {why}")
        except PortsupError as error:
            self._failed(f"its ready check can't be run: {error.message}")
        else:
            self._ready()

    def _run_command(self, started: Started, reservations: list[Reservation]) -> Child:
        self._commands = {command for command in self._commands if command.poll() is None}
        command = self._launcher.run_ready_command(self._unit, started.launch, reservations)
        self._commands.add(command)
        return command

    @property
    def children(self) -> frozenset[Child]:
        """Ready commands that may still run: each has its waiter here."""
        return frozenset(self._commands)

    def cancel(self) -> None:
        """It doesn't matter any more."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def close(self) -> None:
        self.cancel()
        if self._notify is not None:
            self._notify.close()
