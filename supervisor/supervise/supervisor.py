"""One instance: its units, from the first spawn until nothing is left.

Units live by themselves; here is what concerns them together: who waits for whom, the order of a
stop, the signals that the guard passes on, and when the instance is over.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import traceback
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from supervisor.config.model import StopMode
from supervisor.errors import ExitCode, PortsupError
from supervisor.plan.plan import Plan, dependents_on_ports
from supervisor.platform import os_facts
from supervisor.process.guard import GuardLink
from supervisor.snapshot import InstanceSnapshot
from supervisor.supervise.launcher import Started
from supervisor.supervise.run import LOOK_AGAIN
from supervisor.supervise.state import State
from supervisor.supervise.unit import LIVE, Unit, World
from supervisor.supervise.watch import Watcher, table_for

if TYPE_CHECKING:
    from supervisor.supervise.errand import Errand
    from supervisor.supervise.filewatch import FileWatch

COMMANDS = {
    ord("I"): (ExitCode.INTERRUPTED, "Ctrl-C"),
    ord("T"): (ExitCode.TERMINATED, "SIGTERM"),
    ord("H"): (128 + signal.SIGHUP, "SIGHUP"),
}
"""What the guard passes on: the exit code of `portsup up` after the one that came first, and its name."""

SIGNALS = {
    ord("I"): (signal.SIGINT,),
    ord("T"): (signal.SIGTERM, signal.SIGQUIT),
    ord("H"): (signal.SIGHUP,),
}
"""What it got then."""

ECHO_SECONDS = 0.1
"""timeout(1) signals its child and then its whole group, npm passes on what a terminal has sent to all:
what comes so soon after a stop command is the same one."""

EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""No fault of ours, and it may pass."""

GIVE_UP_AFTER = 1.0
"""Seconds beyond what all services may take to stop, for an instance in which a bug was seen."""


class Door(Protocol):
    """Where commands come in: the control server, which this room doesn't know."""

    async def start(self) -> None: ...

    async def restore(self) -> bool:
        """Stand anew if somebody took it away; True if so."""
        ...

    async def close(self) -> None: ...


class Supervisor:
    def __init__(
        self,
        plan: Plan,
        units: dict[str, Unit],
        world: World,
        link: GuardLink,
        *,
        stay: bool,
        errand: Errand | None = None,
        settled: Callable[[Supervisor], None] | None = None,
    ) -> None:
        """`stay`: go on when every unit is over by itself, so that `status` can tell why. With an `errand`
        the instance is up for as long as that takes, and its exit code is that one's. `settled` is called
        when a change of a unit has been thought through."""
        self.plan = plan
        self.units = units
        self._world = world
        self._link = link
        self._stay = stay
        self._errand = errand
        self._settled_told = settled
        self.stopping = False
        self._last_command: tuple[int, float] | None = None
        """What the guard passed on, and when."""
        self._killing = False
        self._broken = False
        self._gave_up = False
        self._exit_code = int(ExitCode.OK)
        self._settling = False
        self._looking = False
        self._changed = asyncio.Event()
        self._over = asyncio.Event()
        self._lock_problem: str | None = None
        self._last_bug: str | None = None
        self._all_ready = False
        self._watch: Watcher | None = None
        self._files: FileWatch | None = None

    async def run(self, door: Door, started: Mapping[str, Started]) -> int:
        """From taking over the first children to the last one gone; returns the exit code.

        Raises PortsupError if a bug keeps it from stopping: the guard then ends what is left.
        """
        asyncio.get_running_loop().set_exception_handler(self._on_loop_bug)
        self._listen_to_signals()
        for name, child in started.items():
            self.units[name].begin(child)
        self.tree_changed()  # who died before SIGCHLD was listened to
        self._settle()
        self._watch = Watcher(
            lambda: list(self.units.values()),
            partial(self._look_at_instance, door),
            self.report_bug,
            table_for(self.plan.units),
        )
        self._watch_files()
        await door.start()
        tasks = [asyncio.create_task(self._watch.run())]
        if self._errand is not None:
            tasks.append(asyncio.create_task(self._run_errand(self._errand)))
        try:
            await self._over.wait()
            await self._end_strays()
        finally:
            for task in tasks:
                task.cancel()
            if self._files is not None:
                self._files.close()
            await door.close()
        if self._gave_up:
            raise PortsupError("an internal error kept it from stopping", exit_code=ExitCode.INTERNAL)
        for unit in self.units.values():
            unit.close()
        if self._errand is not None and self._errand.code is not None:
            return self._errand.code
        return self._exit_code

    async def _run_errand(self, errand: Errand) -> None:
        try:
            await errand.run(self)
        except Exception as bug:
            self.report_bug("the errand", bug)
            self.stop(ExitCode.INTERNAL, "an internal error")

    # Faults of ours

    def report_bug(self, where: str, bug: BaseException) -> None:
        """One line for people, where it was for the log. The instance goes on, but isn't trusted to stop."""
        text = f"{type(bug).__name__}: {bug}"
        if text == self._last_bug:
            return  # asyncio tells of a lack of descriptors again and again
        self._last_bug = text
        if isinstance(bug, OSError) and bug.errno in EXHAUSTED:
            self._world.events.warning("exhausted", f"{where} ran out of something: {bug.strerror}")
            return
        self._broken = True
        frames = traceback.extract_tb(bug.__traceback__)
        at = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames]
        self._world.events.error("bug", f"internal error in {where}: {text}", at=at)
        if self.stopping:
            self._bound_stop()

    def _on_loop_bug(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What escaped from a callback or a task: asyncio would print a traceback."""
        bug = context.get("exception") or RuntimeError(context.get("message"))
        self.report_bug("the event loop", bug)

    def _bound_stop(self) -> None:
        patience = sum(unit.plan.service.stop.timeout for unit in self.units.values())
        asyncio.get_running_loop().call_later(patience + GIVE_UP_AFTER, self._give_up)

    def _give_up(self) -> None:
        self._gave_up = True
        self._over.set()

    async def _look_at_instance(self, door: Door) -> None:
        """Is the instance's number still ours, and can it be reached?"""
        problem = self._world.claim.lock.intact()
        if problem is not None and problem == self._lock_problem:
            if self._world.claim.lock.leads_here():
                self._world.claim.lock.write(self._world.claim.record)
                self._world.events.warning("instance.record", f"{problem}: written anew")
            else:
                self._world.events.error("instance.lost", f"{problem}: others can claim our number now")
                self.stop(ExitCode.SERVICE_FAILED, problem)
        self._lock_problem = problem
        if await door.restore():
            self._world.events.warning("instance.socket", "the control socket was gone: made anew")

    async def _end_strays(self) -> None:
        """Orphans that shed whatever tells their unit are the instance's. Where a unit spares what it
        started on purpose, they may be of those."""
        if any(unit.plan.service.stop.mode is not StopMode.TREE for unit in self.units.values()):
            return
        while not self._gave_up and (strays := self._world.forest.members(None)):
            for stray in strays:
                os_facts.send_signal(stray.owner, signal.SIGKILL)
            await asyncio.sleep(LOOK_AGAIN)

    def _each(self, call: Callable[[Unit], None], units: Iterable[Unit] | None = None) -> None:
        """For all units, if not for those. A bug in one must not reach the others."""
        for unit in self.units.values() if units is None else units:
            try:
                call(unit)
            except Exception as bug:
                self.report_bug(unit.name, bug)

    # Signals

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(self._link.commands_fd, self._on_command)
        on_term = partial(self.stop, ExitCode.TERMINATED, "SIGTERM")
        loop.add_signal_handler(signal.SIGCHLD, self.tree_changed)
        if self._errand is None:
            loop.add_signal_handler(signal.SIGTERM, on_term)
        else:
            self._errand.listen(on_term)

    def _on_command(self) -> None:
        commands = os.read(self._link.commands_fd, 64)
        if not commands:
            asyncio.get_running_loop().remove_reader(self._link.commands_fd)
            self.stop(ExitCode.TERMINATED, "the guard is gone")
        for command in commands:
            if self._is_echo(command):
                continue
            # Not `self.stopping`: a TERM to the whole group reaches us as well, and somebody may have said
            # `down`. Only what the guard passed on counts as the first of two Ctrl-C.
            if self._last_command is not None:
                self.kill()
            self._last_command = command, asyncio.get_running_loop().time()
            if self._errand is not None and self._errand.running:
                self._errand.pass_on(*SIGNALS[command])
            else:
                self.stop(*COMMANDS[command])

    def _is_echo(self, command: int) -> bool:
        if self._last_command is None:
            return False
        last, at = self._last_command
        return command == last and asyncio.get_running_loop().time() - at < ECHO_SECONDS

    def tree_changed(self) -> None:
        """A process below us is gone (SIGCHLD) or was killed. Look soon: where many end at once, one look
        serves all of them."""
        if not self._looking:
            self._looking = True
            asyncio.get_running_loop().call_soon(self._look_at_trees)

    def _look_at_trees(self) -> None:
        self._looking = False
        ours = frozenset[int]().union(*(unit.waited_for for unit in self.units.values()))
        if self._errand is not None:
            ours |= self._errand.waited_for
        self._world.forest.reap_orphans(ours)
        waiting = [unit for unit in self.units.values() if unit.watches_tree]
        try:
            trees = self._world.forest.look({unit.name for unit in waiting}) if waiting else {}
        except OSError as error:  # no descriptor left to look with: nobody else will tell us to look again
            self.report_bug("a look at processes", error)
            asyncio.get_running_loop().call_later(LOOK_AGAIN, self.tree_changed)
            return
        self._each(lambda unit: unit.look_at_tree(trees.get(unit.name, ())), waiting)

    def stop(self, exit_code: int, why: str) -> None:
        """Stop the instance in an orderly way: dependents before what they depend on."""
        if self.stopping:
            return
        self.stopping = True
        self._exit_code = int(exit_code)
        once_more = "; once more kills" if why == "Ctrl-C" else ""
        self._world.events.info("instance.stopping", f"stopping ({why}{once_more})", why=why)
        if self._broken:
            self._bound_stop()
        if self._errand is not None:
            self._errand.end()
        self._settle()

    def kill(self) -> None:
        """Stop at once."""
        if not self._killing:
            self._killing = True
            self._world.events.warning("instance.killing", "killing what is left")
        if self._errand is not None:
            self._errand.kill()
        self._each(lambda unit: unit.kill())

    # Who waits for whom

    def changed(self) -> None:
        """A unit's state changed: see soon what that means for the others."""
        if not self._settling:
            self._settling = True
            asyncio.get_running_loop().call_soon(self._settle)

    def _settle(self) -> None:
        self._settling = False
        if self.stopping:
            self._each(self._stop_if_unneeded)
        else:
            self._each(self._start_if_unblocked)
            self._announce()
        if self._settled_told is not None:
            self._settled_told(self)
        if self._is_over():
            self._over.set()
        self._changed.set()
        self._changed = asyncio.Event()

    def _start_if_unblocked(self, unit: Unit) -> None:
        if unit.state is State.PENDING:
            waits = [name for name in unit.plan.service.depends_on if not self.units[name].satisfied]
            if waits:
                unit.block("waits for " + ", ".join(self._named(name) for name in waits))
            else:
                unit.unblocked()

    def _named(self, name: str) -> str:
        dependency = self.units[name]
        return f"{name} ({dependency.state})" if dependency.at_rest else name

    def _stop_if_unneeded(self, unit: Unit) -> None:
        if self._errand is not None and not self._errand.over:
            return  # it depends on every service
        if not unit.at_rest and all(other.at_rest for other in self._dependents(unit)):
            if self._killing:
                unit.kill()
            else:
                unit.stop()

    def _dependents(self, unit: Unit) -> list[Unit]:
        return [other for other in self.units.values() if unit.name in other.plan.service.depends_on]

    def _is_over(self) -> bool:
        units = self.units.values()
        if self.stopping:
            return all(unit.at_rest for unit in units) and (self._errand is None or self._errand.over)
        if not self.ends_by_itself:
            return False
        self._end_by_itself()
        return all(unit.at_rest for unit in units)

    @property
    def ends_by_itself(self) -> bool:
        """Whether nothing is left to run, and nobody stays to look at that."""
        units = self.units.values()
        return not (self._stay or any(unit.parked for unit in units)) and self._settled(units, ready=False)

    @property
    def has_started(self) -> bool:
        """Whether each unit that is wanted up is ready, over, or stuck behind one that is over."""
        return self._settled((unit for unit in self.units.values() if not unit.is_off), ready=True)

    def _end_by_itself(self) -> None:
        failed = [unit.name for unit in self.units.values() if unit.failed]
        if failed:
            names = ", ".join(failed)
            hint = f"see `portsup logs {failed[0]}`"
            self._world.events.error("instance.failed", f"{names} failed and nothing else runs: {hint}")
        self.stop(ExitCode.SERVICE_FAILED if failed else ExitCode.OK, "nothing is left to run")

    def _stuck(self) -> set[str]:
        """Who waits for something that is over and won't become ready by itself."""
        found: set[str] = set()
        for name, unit in self.units.items():  # dependencies come before their dependents
            needs = [self.units[need] for need in unit.plan.service.depends_on]
            if unit.state is State.PENDING and any(
                (need.at_rest and not need.satisfied) or need.name in found for need in needs
            ):
                found.add(name)
        return found

    def _settled(self, units: Iterable[Unit], *, ready: bool) -> bool:
        """Whether each of `units` is over, stuck behind one that is over or, with `ready`, ready."""
        stuck = self._stuck()
        return all(unit.at_rest or unit.name in stuck or (ready and unit.ready) for unit in units)

    def _announce(self) -> None:
        wanted = [unit for unit in self.units.values() if not unit.is_off]
        if any(unit.state is State.STOPPING for unit in wanted):
            return  # a job that has done its work goes on to count as ready
        ready = bool(wanted) and all(unit.satisfied for unit in wanted)
        if ready and not self._all_ready:
            self._world.events.info("instance.ready", "all services are ready")
        self._all_ready = ready

    def ports_changed(self, unit: Unit, pools: Collection[str]) -> None:
        """Others that were told an old port are started anew with the new one."""
        told = dependents_on_ports(self.plan, unit.name, pools)
        live = [other for name, other in self.units.items() if name in told and other.state in LIVE]
        if live:
            names = ", ".join(other.name for other in live)
            text = f"{unit.name} has another port: restarting {names}, told the old one"
            self._world.events.info("instance.ports_changed", text)
        self._each(lambda other: other.again(), live)

    # Files

    def _watch_files(self) -> None:
        """Those that services name in `watch`. Nothing is loaded for it where none does."""
        services = [unit.service for unit in self.plan.units]
        if self._files is None and not any(service.watch for service in services):
            return
        from supervisor.supervise.file_changes import FileChanges
        from supervisor.supervise.filewatch import FileWatch, Watched

        if self._files is None:
            changes = FileChanges(self.units, self._world, lambda: self.stopping)
            self._files = FileWatch(changes.changed, self._world.events)
        self._files.watch(Watched(service.name, service.cwd, service.watch) for service in services)

    # Another plan

    def adopt_plan(self, plan: Plan, added: Iterable[Unit]) -> None:
        """Another set of services. Those that are no more are there until they are at rest, and `remove`d."""
        if self._watch is not None:
            self._watch.look_at(table_for([*self.plan.units, *plan.units]))
        self.plan = plan
        units = {**self.units, **{unit.name: unit for unit in added}}
        self.units.clear()
        self.units.update({unit.name: units.pop(unit.name) for unit in plan.units} | units)
        self._watch_files()
        self.changed()

    def remove(self, unit: Unit) -> None:
        """It is at rest, and no service of the stack any more."""
        del self.units[unit.name]
        unit.close()
        self.changed()

    # For those who ask

    async def until(self, true: Callable[[], bool]) -> None:
        """Return when that holds. It is asked whenever something has changed."""
        while not true():
            await self._changed.wait()

    async def until_settled(self, units: Iterable[Unit]) -> None:
        """Return when each of `units` is ready, over, or stuck behind one that is over."""
        watched: Sequence[Unit] = list(units)
        await self.until(lambda: self._settled(watched, ready=True))

    async def until_ready(self, timeout: float | None) -> list[Unit]:
        """Of the units that are wanted up, those that aren't ready when all are ready, over or stuck, or
        after `timeout` seconds."""
        units = [unit for unit in self.units.values() if not unit.is_off]
        try:
            async with asyncio.timeout(timeout):
                await self.until_settled(units)
        except TimeoutError:
            pass  # whoever isn't ready by now is named below
        return [unit for unit in units if not unit.satisfied]

    async def until_at_rest(self, units: Iterable[Unit]) -> None:
        """Return when each of `units` is at rest, or somebody wants it up again."""
        watched: Sequence[Unit] = list(units)
        await self.until(lambda: all(unit.at_rest or not unit.is_off for unit in watched))

    def snapshot(self) -> InstanceSnapshot:
        record = self._world.claim.record
        return InstanceSnapshot(
            instance=record.instance,
            instance_id=record.instance_id,
            stack=record.stack,
            config=record.config,
            base_port=record.base_port,
            state=self._state(),
            supervisor_pid=record.supervisor.pid,
            supervisor_started=round(record.supervisor.started / os_facts.TICKS_PER_SECOND, 2),
            services=tuple(unit.snapshot() for unit in self.units.values()),
        )

    def _state(self) -> str:
        units = self.units.values()
        if self.stopping:
            return "stopping"
        if self._stuck() or any(unit.failed or unit.state is State.BACKOFF for unit in units):
            return "degraded"
        waits = (State.PENDING, State.STARTING, State.STOPPING)
        return "starting" if any(unit.state in waits for unit in units) else "running"
