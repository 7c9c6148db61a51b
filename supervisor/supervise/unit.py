"""One service of one instance, live: turns what happens into events, and actions into deeds.

What follows what stands in `state.py` and `verdict.py`; here is the doing. `_become` is the only place
that changes the state.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from supervisor.clock import Clock
from supervisor.config.model import ReadyKind
from supervisor.errors import PortsupError
from supervisor.plan.plan import UnitPlan, url
from supervisor.platform import Listener, Process, os_facts
from supervisor.ports.lock import LockFolder
from supervisor.ports.reserve import InstanceClaim, Reservation
from supervisor.process import stop
from supervisor.process.child import Child, Exit, signal_name
from supervisor.process.reap import Forest
from supervisor.snapshot import ServiceSnapshot
from supervisor.supervise.backoff import Ladder
from supervisor.supervise.events import EventLog
from supervisor.supervise.holdings import Holdings, port_fields
from supervisor.supervise.launcher import Launcher, Started
from supervisor.supervise.logs import LogFile
from supervisor.supervise.ready import LogCheck, NotifySocket, Waits, explain, waits_for
from supervisor.supervise.state import AT_REST, Action, Event, State, step
from supervisor.supervise.timings import Timings
from supervisor.supervise.verdict import Cause, Wanted, may_retry, verdict
from supervisor.supervise.wire import Wire

LOOK_AGAIN = 0.02
"""Seconds between looks at a tree that is being ended. Most ends are seen at once by SIGCHLD; this is
for what the kernel doesn't tell, as a process that is forked while its parent is killed."""

PORT_COMES_FREE = 1.0
"""Seconds between two looks at a port that somebody else uses. This doesn't count as a failure of the
service, and goes on for as long as it takes."""

LIVE = frozenset({State.STARTING, State.RUNNING})


@dataclass(frozen=True, slots=True)
class World:
    """What all units of an instance share."""

    claim: InstanceClaim
    folder: LockFolder
    launcher: Launcher
    forest: Forest
    events: EventLog
    timings: Timings
    clock: Clock
    log_path: Callable[[str], Path]
    notify_path: Callable[[str], Path]
    echo: Callable[[str, bytes], None] | None
    """Where whole lines of a service go besides its file."""
    changed: Callable[[Unit], None]
    """The unit's state changed."""
    ports_changed: Callable[[Unit], None]
    """The unit has another port than before."""


class Unit:
    def __init__(self, plan: UnitPlan, world: World, reservations: list[Reservation], *, up: bool) -> None:
        self.plan = plan
        self.name = plan.name
        self.state = State.PENDING if up else State.STOPPED
        self.wanted = Wanted.UP if up else Wanted.DOWN
        self.reason: str | None = None
        self.holdings = Holdings(
            plan, world.claim, world.folder, world.clock, reservations, lambda: self.tree_pids
        )
        self._world = world
        self._ladder = Ladder(plan.service.backoff)
        self._log = LogFile(world.log_path(self.name), partial(self._warn, "log"))
        self._notify = (
            NotifySocket(world.notify_path(self.name))
            if plan.service.ready.kind is ReadyKind.NOTIFY
            else None
        )
        self._claiming = asyncio.Lock()
        self._started: Started | None = None
        self._wire: Wire | None = None
        self._probes: set[Child] = set()
        self._timers: dict[Callable[[], None], asyncio.TimerHandle] = {}
        self._ready_task: asyncio.Task[None] | None = None
        self.spawns = 0
        self._exit: Exit | None = None
        self._cause = Cause.EXITED_OK
        self._daemon = False
        self._killing = False
        self._stop_began: float | None = None
        self._retry_in = 0.0

    # What others ask of it

    def begin(self, started: Started) -> None:
        """Take over a child that was started before the event loop was."""
        self._become(State.STARTING, None, Event.UNBLOCKED)
        self._adopt(started)

    def unblocked(self) -> None:
        """Every dependency is ready."""
        self._handle(Event.UNBLOCKED)

    async def start(self) -> None:
        """Bring it up, if it isn't. Raises PortsupError (NoFreePort) if its ports can't be had any more."""
        self._ladder.reset()
        if self.state is State.STOPPING:
            self.wanted = Wanted.AGAIN
            return
        self.wanted = Wanted.UP
        try:
            async with self._claiming:
                if not self.holdings.complete:
                    await self._claim()
                if self.wanted is Wanted.DOWN:  # stopped meanwhile
                    self.holdings.give_back()
        finally:
            self._world.changed(self)
        if self.wanted is Wanted.UP:
            self._handle(Event.START)

    async def _claim(self) -> None:
        try:
            changed = await asyncio.to_thread(self.holdings.claim)
        except PortsupError:
            self.wanted = Wanted.DOWN
            raise
        self._note_claims()
        if changed:
            self._world.ports_changed(self)

    def _note_claims(self) -> None:
        for held in self.holdings.reservations:
            self._world.launcher.note(held)
            self._world.timings.add(self.name, "claim", held.claim_seconds)

    def stop(self) -> None:
        self.wanted = Wanted.DOWN
        self._handle(Event.STOP)

    def kill(self) -> None:
        """Stop without asking."""
        self.wanted = Wanted.DOWN
        self._handle(Event.KILL)

    async def restart(self) -> None:
        """End it in an orderly way and start it anew on the same ports; just start it if it is down."""
        if self.state not in LIVE:
            await self.start()
            return
        self._ladder.reset()
        self.wanted = Wanted.AGAIN
        self._handle(Event.STOP)

    def close(self) -> None:
        """The instance is over."""
        self._cancel()
        self._log.close()
        if self._notify is not None:
            self._notify.close()

    # What others ask about it

    @property
    def at_rest(self) -> bool:
        """No process, no port, nothing under way."""
        return self.state in AT_REST and not self._claiming.locked()

    @property
    def is_off(self) -> bool:
        """Down or on its way there, since nobody wants it up."""
        return self.wanted is Wanted.DOWN

    @property
    def ready(self) -> bool:
        return self.state is State.RUNNING

    @property
    def failed(self) -> bool:
        """It is over, and not well."""
        return self.state is State.FATAL or (
            self.state is State.EXITED and self._cause is not Cause.EXITED_OK
        )

    @property
    def satisfied(self) -> bool:
        """Whether those that depend on it may start: it is ready, or it was a job and has done it."""
        return self.ready or (self.state is State.EXITED and not self.failed)

    @property
    def waited_for(self) -> frozenset[int]:
        """Pids of children that have a waiter here, so that nobody else takes their exit status."""
        children = [*self._probes, *([self._wire.child] if self._wire else [])]
        return frozenset(child.owner.pid for child in children if child.poll() is None)

    @property
    def tree_pids(self) -> set[int]:
        return {process.pid for process in self._members()}

    @property
    def live_for(self) -> float | None:
        """Seconds since the spawn of the child that runs; None without one."""
        return None if self._started is None else self._world.clock.now() - self._started.at

    def snapshot(self) -> ServiceSnapshot:
        main = self.holdings.main_port
        child = self._wire.child if self._wire else None
        return ServiceSnapshot(
            name=self.name,
            state=str(self.state),
            ready=self.ready,
            pid=None if child is None else child.owner.pid,
            ports=self.holdings.ports,
            pools={pool.name: pool.ports for pool in self.plan.pools},
            url=None if main is None else url(main),
            shield=self.holdings.shield_state,
            restarts=max(0, self.spawns - 1),
            uptime_s=self.live_for,
            exit=None if self._exit is None else str(self._exit),
            reason=self.reason,
        )

    # The table at work

    def _handle(self, event: Event, reason: str | None = None) -> None:
        after, action = step(self.state, event)
        if after is not self.state:
            self._become(after, reason, event)
        self._do(action)

    def _become(self, state: State, reason: str | None, event: Event) -> None:
        """The one place that changes the state: set, stamp, log, publish."""
        self._cancel()
        self.state = state
        self.reason = reason
        self._report(event)
        self._world.changed(self)

    def block(self, reason: str | None) -> None:
        """Why it waits, while it is PENDING."""
        if self.state is State.PENDING:
            self.reason = reason

    def _report(self, event: Event) -> None:
        tell = self._world.events.info
        if self.state is State.FATAL:
            tell = self._world.events.error
        elif event is Event.CHILD_EXITED or self.state in (State.STARTING, State.PENDING):
            tell = self._world.events.detail  # what comes of it follows at once
        main = self.holdings.main_port
        text = str(self.state)
        if self.state is State.RUNNING and main is not None:
            text += f" on {url(main)}"
        if self.reason:
            text += f": {self.reason}"
        pid = self._wire.child.owner.pid if self._wire else None
        tell(
            f"unit.{self.state.lower()}",
            text,
            service=self.name,
            pid=pid,
            reason=self.reason,
            **port_fields(self.holdings.ports),
        )

    def _warn(self, event: str, message: str) -> None:
        self._world.events.warning(
            f"unit.{event}", message, service=self.name, **port_fields(self.holdings.ports)
        )

    def _do(self, action: Action) -> None:
        match action:
            case Action.SPAWN:
                self._spawn()
            case Action.ASK:
                self._ask()
            case Action.SWEEP:
                self._sweep()
            case Action.KILL_TREE:
                self._kill_tree()
            case Action.WAIT:
                self._later(self._retry_in, self._try_again)
            case Action.GIVE_BACK:
                self.holdings.give_back()
            case Action.ANNOUNCE:
                self._world.timings.add(self.name, "ready", self.live_for or 0.0)
            case Action.NOTHING:
                pass

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        """One timer for each call: who sets it again moves it."""
        if earlier := self._timers.get(call):
            earlier.cancel()
        self._timers[call] = asyncio.get_running_loop().call_later(seconds, call)

    def _cancel(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        if self._ready_task is not None:
            self._ready_task.cancel()
            self._ready_task = None

    # Starting

    def _try_again(self) -> None:
        """The wait is over. While somebody else uses the port it goes on, and nothing is said anew."""
        if self._cause is Cause.OCCUPIED and not self.holdings.bindable():
            self._later(PORT_COMES_FREE, self._try_again)
        else:
            self._handle(Event.DELAY_OVER)

    def _spawn(self) -> None:
        try:
            if occupant := self.holdings.occupied():
                self._conclude(Cause.OCCUPIED, occupant)
                return
            started = self._world.launcher.start(
                self.plan, self.holdings.reservations, self._notify_variable()
            )
        except PortsupError as error:
            self._conclude(Cause.UNSPAWNABLE, ": ".join([error.message, *error.details]))
            return
        self._adopt(started)

    def _notify_variable(self) -> dict[str, str]:
        if self._notify is None:
            return {}
        self._notify.forget()
        return {"NOTIFY_SOCKET": str(self._notify.path)}

    def _adopt(self, started: Started) -> None:
        self._started = started
        self.spawns += 1
        self._daemon = self._killing = False
        self._cause = Cause.EXITED_OK
        self._stop_began = None
        waits = waits_for(
            started.launch.ready,
            self.holdings.main_port,
            partial(self._run_ready_command, started),
            self._notify,
        )
        sinks: list[Callable[[bytes], None]] = [waits] if isinstance(waits, LogCheck) else []
        if self._world.echo is not None:
            sinks.append(partial(self._world.echo, self.name))
        self._wire = Wire(started.child, self._log.write, sinks, self._exited)
        self._record_spawn(started)
        if waits is None:
            self._handle(Event.READY)
        else:
            self._ready_task = asyncio.create_task(self._become_ready(started, waits))

    def _record_spawn(self, started: Started) -> None:
        pid, port = started.child.owner.pid, self.holdings.main_port
        where = f" on port {port}" if port is not None else ""
        self._world.timings.add(self.name, "spawn", started.seconds)
        self._world.events.info(
            "unit.spawned",
            f"started{where}, pid {pid}",
            service=self.name,
            pid=pid,
            **port_fields(self.holdings.ports),
        )
        try:
            self.holdings.name_child(started.child.owner)
        except PortsupError as error:
            self._warn("record", error.message)

    def _run_ready_command(self, started: Started) -> Child:
        self._probes = {probe for probe in self._probes if probe.poll() is None}
        probe = self._world.launcher.run_ready_command(self.plan, started.launch, self.holdings.reservations)
        self._probes.add(probe)
        return probe

    async def _become_ready(self, started: Started, waits: Waits) -> None:
        timeout = started.launch.ready.timeout
        try:
            async with asyncio.timeout(timeout):
                await waits.wait()
        except TimeoutError:
            reason = f"not ready within {timeout:g} s: {explain(started.launch.ready, waits)}"
        except PortsupError as error:
            reason = f"its ready check can't be run: {error.message}"
        else:
            self._handle(Event.READY)
            return
        self._cause = Cause.FAILED
        self._handle(Event.READY_TIMED_OUT, reason)

    # Ending

    def _exited(self, result: Exit) -> None:
        """The first process is gone."""
        self._exit = result
        if result.ok and self.state in LIVE and self._tree_listens():
            self._daemon = True
            self._world.events.info(
                "unit.daemonised", "its first process ended, the rest goes on", service=self.name
            )
        else:
            self._over(result)

    def _over(self, result: Exit) -> None:
        if self.state in LIVE:
            self._cause = Cause.EXITED_OK if result.ok else Cause.FAILED
        self._handle(Event.CHILD_EXITED, f"ended with {result}")
        self.tree_changed()

    def tree_changed(self) -> None:
        """Some process below the supervisor is gone: was it the last one of this unit?"""
        if self.state is State.STOPPING and not self._remaining():
            self._ended()
        elif self._daemon and self.state in LIVE and not self._members():
            self._daemon = False
            self._over(Exit())

    def _members(self) -> Sequence[Process]:
        return self._world.forest.members(self.name)

    def _remaining(self) -> list[Process]:
        assert self._wire is not None
        return stop.remaining(self._wire.child, self._world.forest, self.name, self.plan.service.stop.mode)

    def _tree_listens(self) -> bool:
        ours = frozenset(self.holdings.ports.values())
        listening = {listener.inode for listener in os_facts.listeners(ours)} if ours else set()
        return any(listening & os_facts.open_sockets(process.pid) for process in self._members())

    def _ask(self) -> None:
        assert self._wire is not None
        self._stop_began = self._world.clock.now()
        how = self.plan.service.stop
        stop.ask(self._wire.child, self._world.forest, self.name, how)
        self._later(how.timeout, self._stop_timed_out)
        self._later(LOOK_AGAIN, self._look_again)

    def _stop_timed_out(self) -> None:
        how = self.plan.service.stop
        name = signal_name(how.signal)
        self._warn("killed", f"did not end within {how.timeout:g} s of signal {name}: killing it")
        self._handle(Event.STOP_TIMED_OUT)

    def _sweep(self) -> None:
        if self._cause is Cause.EXITED_OK and self._remaining():
            self._ask()
        else:
            self._kill_tree()

    def _kill_tree(self) -> None:
        assert self._wire is not None
        self._stop_began = self._stop_began or self._world.clock.now()
        self._killing = True
        stop.kill(self._wire.child, self._world.forest, self.name, self.plan.service.stop.mode)
        self._later(LOOK_AGAIN, self._look_again)

    def _look_again(self) -> None:
        """Until nothing is left. What was forked meanwhile is killed too."""
        self.tree_changed()
        if self.state is State.STOPPING:
            if self._killing:
                self._kill_tree()
            else:
                self._later(LOOK_AGAIN, self._look_again)

    def _ended(self) -> None:
        """Nothing of its tree is left."""
        assert self._wire is not None and self._started is not None
        now = self._world.clock.now()
        if self._stop_began is not None:
            self._world.timings.add(self.name, "stop", now - self._stop_began)
        if not self._daemon:
            self._exit = self._wire.child.poll() or self._exit
        self._wire.cut()
        self._wire = None
        ran_for = now - self._started.at
        self._started = None
        self._conclude(self._cause, self.reason, ran_for)

    def _conclude(self, cause: Cause, reason: str | None, ran_for: float = 0.0) -> None:
        """Decide what follows, and let it follow."""
        self._cause = cause
        service = self.plan.service
        wait: float | None = PORT_COMES_FREE
        if self.wanted is Wanted.UP and may_retry(cause, service.restart):
            wait = self._ladder.climb(ran_for)
        event = verdict(self.wanted, cause, service.restart, service.on_lost, given_up=wait is None)
        if self.wanted is Wanted.AGAIN:
            self.wanted = Wanted.UP
        self._retry_in = wait or 0.0
        if event is Event.ENDED_AGAIN and self.holdings.lost:
            event, reason = self._rotate()
        self._handle(event, self._because(event, reason))

    def _because(self, event: Event, reason: str | None) -> str | None:
        limit = self.plan.service.backoff.limit
        if event is Event.ENDED_RETRY and self._cause is not Cause.OCCUPIED:
            return f"{reason}; try {self._ladder.failures} of {limit} in {self._retry_in:g} s"
        if event is Event.ENDED_FATAL and self._ladder.failures > limit:
            return f"{reason}; gave up after {limit} restarts in a row"
        return None if event in (Event.ENDED_STOPPED, Event.ENDED_AGAIN) else reason

    # Shields

    def watch(self, listeners: Sequence[Listener]) -> None:
        """One round of the watcher, with the kernel's table of listeners."""
        # With no child there is nobody to stop: the port is probed before the next one is spawned.
        ours_runs = self._wire is not None
        for finding in self.holdings.look(listeners if ours_runs else ()):
            if finding.lost:
                self._lose(finding.message)
                return
            self._warn("shield", finding.message)

    def _lose(self, message: str) -> None:
        self._world.events.error(
            "unit.shield_lost", message, service=self.name, **port_fields(self.holdings.ports)
        )
        if self.state in LIVE:
            self._cause = Cause.SHIELD_LOST
        self._handle(Event.SHIELD_LOST, f"shield lost: {message}")

    def warn_elsewhere(self, ports: Sequence[int]) -> None:
        """It listens on `ports`, and not on its own."""
        listed = ", ".join(map(str, ports)) or "nothing"
        own, variable = self.holdings.main_port, self.plan.pools[0].env
        self._warn(
            "elsewhere", f"{self.name} listens on {listed}, not on its port {own}: does it read {variable}?"
        )

    def _rotate(self) -> tuple[Event, str | None]:
        """After a lost shield: another port of the pool."""
        try:
            self.holdings.rotate()
        except PortsupError as error:
            return Event.ENDED_FATAL, f"shield lost, and {error.message}"
        self._note_claims()
        self._world.ports_changed(self)
        return Event.ENDED_AGAIN, None
