"""One service of one instance, live: turns what happens into events, and actions into deeds.

What follows what stands in `state.py` and `verdict.py`; here is the doing, with a `Run` for the child,
a `Readiness` for its check and `Holdings` for the ports. `_become` is the only place that changes the
state.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from supervisor.clock import Clock
from supervisor.config.model import OnLost
from supervisor.config.signals import signal_name
from supervisor.errors import OutOfResources, PortsupError
from supervisor.plan.plan import UnitPlan, url
from supervisor.platform import Process, os_facts
from supervisor.ports.lock import LockFolder
from supervisor.ports.reserve import InstanceClaim, Reservation
from supervisor.ports.shield import ByPort, elsewhere
from supervisor.process.child import Exit
from supervisor.process.reap import Forest
from supervisor.snapshot import ServiceSnapshot
from supervisor.supervise.backoff import Ladder
from supervisor.supervise.claims import Claims
from supervisor.supervise.events import EventLog
from supervisor.supervise.handover import Handover
from supervisor.supervise.holdings import Holdings
from supervisor.supervise.launcher import Launcher, Started
from supervisor.supervise.logs import LogFile
from supervisor.supervise.readiness import Readiness
from supervisor.supervise.run import Report, Run, adopt_strays
from supervisor.supervise.state import AT_REST, Action, Event, State, step
from supervisor.supervise.timings import Timings
from supervisor.supervise.unit_events import UnitEvents
from supervisor.supervise.verdict import Cause, Wanted, may_retry, verdict

if TYPE_CHECKING:
    from supervisor.supervise.keyboard import Keyboard

PORT_COMES_FREE = 1.0
"""Seconds between two looks at a port that somebody else uses. This doesn't count as a failure of the
service, and goes on for as long as it takes."""

LIVE = frozenset({State.STARTING, State.RUNNING})


class World(NamedTuple):
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
    changed: Callable[[], None]
    """Some unit's state changed."""
    tree_changed: Callable[[], None]
    """A unit's process is gone, or was killed: see soon what is left of the trees that are waited for."""
    ports_changed: Callable[[Unit, Collection[str]], None]
    """The unit has other ports than before in these pools."""
    socket_bound: Callable[[Path], None]
    """A socket for readiness was made."""


class _Successor(NamedTuple):
    """A plan that is taken over when nothing of the old one runs."""

    plan: UnitPlan
    claimed: Sequence[Reservation]


class Unit:
    def __init__(self, plan: UnitPlan, world: World, reservations: list[Reservation], *, up: bool) -> None:
        """Raises PortsupError if its log or its notify socket can't be opened."""
        self.plan = plan
        self.name = plan.name
        self.state = State.PENDING if up else State.STOPPED
        self.wanted = Wanted.UP if up else Wanted.DOWN
        self.parked = False
        """Stopped by hand, so it may be started by hand again."""
        self.reason: str | None = None
        self.restarts = 0
        """By portsup, not by hand."""
        self.spawns = 0
        self.holdings = Holdings(
            plan, world.claim, world.folder, world.clock, reservations, lambda: self.tree_pids
        )
        self._world = world
        self._events = UnitEvents(self.name, world.events, lambda: self.holdings.ports)
        self._ladder = Ladder(plan.service.backoff)
        self._log = LogFile(world.log_path(self.name), plan.service.log, partial(self._events.warning, "log"))
        self._readiness = Readiness(
            plan,
            world.launcher,
            world.notify_path,
            partial(self._handle, Event.READY),
            self._not_ready,
            world.socket_bound,
        )
        self._handover: Handover | None = None
        self.claims = Claims(self.holdings, world.launcher, world.timings, world.changed)
        self._successor: _Successor | None = None
        self._rotations: set[asyncio.Task[None]] = set()
        self._run: Run | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._retry_in = 0.0
        self._by_hand = True
        """The next spawn is the first one, or somebody asked for it."""
        self._exit: Exit | None = None
        self._cause = Cause.EXITED_OK
        self._daemon = False
        self._stop_began: float | None = None

    # What others ask of it

    def begin(self, started: Started) -> None:
        """Take over a child that was started before the event loop was."""
        self._become(State.STARTING, None, Event.UNBLOCKED)
        self._adopt(started)

    def unblocked(self) -> None:
        """Every dependency is ready."""
        if self.holdings.complete:
            self._handle(Event.UNBLOCKED)

    async def start(self) -> None:
        """Bring it up, if it isn't. Raises PortsupError (NoFreePort) if its ports can't be had any more."""
        self._ladder.reset()
        self.parked = False
        self._by_hand = True
        if self.state is State.STOPPING:
            self.wanted = Wanted.AGAIN
            return
        self.wanted = Wanted.UP
        try:
            await self._claim()
        except PortsupError:
            self.wanted = Wanted.DOWN if self.state in AT_REST else self.wanted
            raise
        if self.wanted is Wanted.UP:
            self._handle(Event.START)

    async def restart(self) -> None:
        """End it in an orderly way and start it anew on the same ports; just start it if it is down."""
        if self.state in LIVE:
            self._by_hand = True
            self._ladder.reset()
            self.again()
        else:
            await self.start()

    def again(self) -> None:
        """The same for one that runs."""
        if self.state in LIVE:
            self.wanted = Wanted.AGAIN
            self._handle(Event.STOP)

    def adopt_plan(self, plan: UnitPlan, claimed: Sequence[Reservation], *, anew: bool) -> None:
        """From now on it is this service, and holds `claimed` too. With `anew`, what runs is ended first and
        started anew as this one; without, all of its ports must be in their pools still.

        Only with the lock of `claims` held. One that is at rest or in BACKOFF is the caller's to start."""
        self._successor = _Successor(plan, claimed)
        if self._run is None or not anew:
            self._succeed()
        elif self.state in LIVE:
            self._by_hand = True
            self._ladder.reset()
            self.again()
        elif self.wanted is Wanted.UP:
            self.wanted = Wanted.AGAIN

    def stop(self) -> None:
        self.wanted = Wanted.DOWN
        self._handle(Event.STOP)
        if self._handover is not None:
            self._cut_handover()  # nobody comes after it

    def kill(self) -> None:
        """Stop without asking."""
        self.wanted = Wanted.DOWN
        self._handle(Event.KILL)

    def block(self, reason: str | None) -> None:
        """Why it waits, while it is PENDING."""
        if self.state is State.PENDING:
            self.reason = reason

    def close(self) -> None:
        """The instance is over."""
        self._cancel()
        self._readiness.close()
        self._log.close()

    # What others ask about it

    @property
    def at_rest(self) -> bool:
        """No process, and nothing under way. One that was never wanted up holds its ports all the same."""
        return self.state in AT_REST and not self.claims.lock.locked()

    @property
    def adopts(self) -> bool:
        """Whether it still runs by the plan that it had before."""
        return self._successor is not None

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
        children = [*self._readiness.children, *([self._run.child] if self._run else [])]
        return frozenset(child.pid for child in children if child.poll() is None)

    @property
    def tree_pids(self) -> set[int]:
        adopt_strays(self._world.forest, self.name, self.holdings.ports.values())
        return {process.pid for process in self._world.forest.members(self.name)}

    @property
    def live_for(self) -> float | None:
        """Seconds since the spawn of the child that runs; None without one."""
        return None if self._run is None else self._world.clock.now() - self._run.started.at

    @property
    def keyboard(self) -> Keyboard | None:
        """Of the terminal of a child that runs and has one."""
        return None if self._run is None else self._run.keyboard

    def snapshot(self) -> ServiceSnapshot:
        main = self.holdings.main_port
        return ServiceSnapshot(
            name=self.name,
            state=str(self.state),
            ready=self.ready,
            pid=None if self._run is None else self._run.child.pid,
            ports=self.holdings.ports,
            pools={pool.name: pool.ports for pool in self.plan.pools},
            url=None if main is None else url(main),
            shield=self.holdings.shield_state,
            restarts=self.restarts,
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
        self._world.changed()

    def _cancel(self) -> None:
        self._readiness.cancel()
        if self._retry is not None:
            self._retry.cancel()

    def _report(self, event: Event) -> None:
        self._events.became(
            self.state,
            event,
            pid=None if self._run is None else self._run.child.pid,
            reason=self.reason,
            ready=self.plan.service.ready.kind,
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
                self._wait_for_retry(self._retry_in)
            case Action.GIVE_BACK:
                self.holdings.give_back()
            case Action.ANNOUNCE:
                self._world.timings.add(self.name, "ready", self.live_for or 0.0)
            case Action.NOTHING:
                pass

    # Starting

    def _wait_for_retry(self, seconds: float) -> None:
        self._retry = asyncio.get_running_loop().call_later(seconds, self._try_again)

    def _try_again(self) -> None:
        """The wait is over. While somebody else uses the port it goes on, and nothing is said anew."""
        if self._cause is Cause.OCCUPIED and not self.holdings.bindable():
            self._wait_for_retry(PORT_COMES_FREE)
        else:
            self._handle(Event.DELAY_OVER)

    def _spawn(self) -> None:
        try:
            if occupant := self.holdings.occupied():
                self._conclude(Cause.OCCUPIED, occupant)
                return
            started = self._world.launcher.start(
                self.plan, self.holdings.reservations, self._readiness.variables()
            )
        except PortsupError as error:
            cause = Cause.FAILED if isinstance(error, OutOfResources) else Cause.UNSPAWNABLE
            self._conclude(cause, ": ".join([error.message, *error.details]))
            return
        self._adopt(started)

    def _adopt(self, started: Started) -> None:
        try:
            started.child.owner  # noqa: B018 - from now on it is known
        except OSError as error:
            started.child.discard()
            self._conclude(Cause.UNSPAWNABLE, f"cannot look at its process: {error.strerror}")
            return
        self._daemon = False
        self._cause = Cause.EXITED_OK
        self._stop_began = None
        self.spawns += 1
        if not self._by_hand:
            self.restarts += 1
        self._by_hand = False
        self._readiness.prepare(started, self.holdings.reservations, self.holdings.main_port)
        self._run = self._begin_run(started)
        self._record_spawn(started)
        if not self._readiness.begin(started):
            self._handle(Event.READY)

    def _begin_run(self, started: Started) -> Run:
        sinks = list(self._readiness.line_sinks)
        if self._world.echo is not None:
            sinks.append(partial(self._world.echo, self.name))
        return Run(
            self.name,
            started,
            self.plan.service.stop,
            self._world.forest,
            self._log.write,
            sinks,
            Report(exited=self._exited, overdue=self._overdue, gone=self._gone),
        )

    def _record_spawn(self, started: Started) -> None:
        self._world.timings.add(self.name, "spawn", started.seconds)
        self._events.spawned(started.child.pid)
        try:
            self.holdings.name_child(started.child.owner)
        except PortsupError as error:
            self._events.warning("record", error.message)

    def _not_ready(self, reason: str) -> None:
        """Its check gave up."""
        own = frozenset(self.holdings.ports.values())
        if own and (ports := elsewhere(self.tree_pids, os_facts.listeners(), own)):
            reason += f"; it listens on {', '.join(map(str, ports))} instead"
        self._cause = Cause.FAILED
        self._handle(Event.READY_TIMED_OUT, reason)

    # Ending

    def _exited(self, result: Exit) -> None:
        """The first process is gone."""
        assert self._run is not None
        self._exit = result
        self._events.exited(result)
        if result.ok and self.state in LIVE and self._run.listens_on(frozenset(self.holdings.ports.values())):
            self._daemon = True
            self._events.daemonised()
        else:
            self._over(result)

    def _over(self, result: Exit) -> None:
        if self.state in LIVE:
            self._cause = Cause.EXITED_OK if result.ok else Cause.FAILED
        self._handle(Event.CHILD_EXITED, f"ended with {result}")
        self._world.tree_changed()

    @property
    def watches_tree(self) -> bool:
        """Whether it waits for the last process of its tree."""
        return self._run is not None and (self._run.ending or self._daemon)

    def look_at_tree(self, members: Sequence[Process]) -> None:
        """Some process below the supervisor is gone; `members` are what lives of this tree."""
        if self._run is None:
            return
        if self._daemon and self.state in LIVE and not members:
            self._daemon = False
            self._over(Exit())
        else:
            self._run.look_at(members)

    def _ask(self) -> None:
        if self._run is None:
            return
        self._stop_began = self._world.clock.now()
        listening = self.holdings.listening
        if self.wanted is Wanted.AGAIN and listening is not None:
            self._handover = Handover(listening, self.plan.service.stop.timeout, self._cut_handover)
        else:
            self._run.ask()

    def _cut_handover(self) -> None:
        """The old child may be stopped now."""
        self._end_handover()
        if self._run is not None:
            self._run.ask()

    def _end_handover(self) -> None:
        if self._handover is not None:
            self._handover.cancel()
            self._handover = None

    def _overdue(self) -> None:
        how = self.plan.service.stop
        name = signal_name(how.signal)
        self._events.warning("killed", f"did not end within {how.timeout:g} s of signal {name}: killing it")
        self._handle(Event.STOP_TIMED_OUT)

    def _sweep(self) -> None:
        assert self._run is not None
        if self._cause is Cause.EXITED_OK and self._run.remaining:
            self._ask()
        else:
            self._kill_tree()

    def _kill_tree(self) -> None:
        self._end_handover()
        if self._run is not None:
            self._stop_began = self._stop_began or self._world.clock.now()
            self._run.kill()

    def _gone(self) -> None:
        """Nothing of its tree is left."""
        assert self._run is not None
        now = self._world.clock.now()
        if self._stop_began is not None:
            self._world.timings.add(self.name, "stop", now - self._stop_began)
        if not self._daemon:
            self._exit = self._run.child.poll() or self._exit
        ran_for = now - self._run.started.at
        self._run = None
        self._end_handover()
        if self.holdings.listening is not None:
            self.holdings.listening.renew()
        if self._successor is not None:
            self._succeed()
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
        self._handle(event, self._because(event, reason))
        if event is Event.ENDED_AGAIN and not self.holdings.complete:
            self._rotate()

    def _because(self, event: Event, reason: str | None) -> str | None:
        limit = self.plan.service.backoff.limit
        if event is Event.ENDED_RETRY and self._cause is not Cause.OCCUPIED:
            return f"{reason}; try {self._ladder.failures} of {limit} in {self._retry_in:g} s"
        if event is Event.ENDED_FATAL and self._ladder.failures > limit:
            return f"{reason}; gave up after {limit} restart{'' if limit == 1 else 's'} in a row"
        return None if event in (Event.ENDED_STOPPED, Event.ENDED_AGAIN) else reason

    # Another plan

    def _succeed(self) -> None:
        assert self._successor is not None
        plan, claimed = self._successor
        self._successor = None
        self.plan = plan
        self._ladder.change(plan.service.backoff)
        self._log.limit(plan.service.log)
        if self._run is not None:
            self._run.stop_by(plan.service.stop)
        try:
            self.holdings.adopt_plan(plan)
            self._readiness.adopt_plan(plan)
        except PortsupError as error:
            self._events.warning("reload", error.message)  # and its next start fails for the same reason
        self._world.launcher.keep_pools(plan)
        self.claims.hold(claimed)

    # Ports

    async def _claim(self, avoid: frozenset[int] = frozenset()) -> None:
        """Claim what isn't held, off the loop. Raises PortsupError, and then nothing is under way."""
        if changed := await self.claims.claim(lambda: not self.is_off, avoid):
            self._world.ports_changed(self, changed)

    def _rotate(self) -> None:
        """After a lost shield: another port of the pool. It is PENDING until that is claimed."""
        task = asyncio.create_task(self._claim_another(self.holdings.drop_lost()))
        self._rotations.add(task)
        task.add_done_callback(self._rotations.discard)

    async def _claim_another(self, lost: frozenset[int]) -> None:
        try:
            await self._claim(lost)
        except PortsupError as error:
            who = f": {'; '.join(error.details)}" if error.details else ""
            why = "shield lost, and " if lost else ""
            self._handle(Event.SHIELD_LOST, f"{why}{error.message}{who}")

    def watch(self, listeners: ByPort) -> None:
        """One round of the watcher, with the kernel's table of listeners."""
        # With no child there is nobody to stop: the port is probed before the next one is spawned.
        for finding in self.holdings.look(listeners if self._run is not None else {}):
            if finding.lost:
                self._lose(finding.message)
                return
            self._events.warning("shield", finding.message)

    def _lose(self, message: str) -> None:
        self._events.shield_lost(message)
        if self.state in LIVE:
            self._cause = Cause.SHIELD_LOST
        if self.state in (State.PENDING, State.BACKOFF) and self.plan.service.on_lost is OnLost.ROTATE:
            self._rotate()
        else:
            self._handle(Event.SHIELD_LOST, f"shield lost: {message}")

    def warn_elsewhere(self, ports: Sequence[int]) -> None:
        """It listens on `ports`, and not on its own."""
        self._events.elsewhere(ports, self.plan.pools[0].env)
