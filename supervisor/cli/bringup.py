"""The supervisor process of one instance, wired together: the only place that knows every room.

The order is for the clock: claims and the first children come before asyncio and the control socket
are imported, so that the services start up while the supervisor does.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from supervisor import paths, private
from supervisor.cli.inherit import environment
from supervisor.cli.number import Claimed, claim_number
from supervisor.cli.order import Order
from supervisor.cli.worktree import remember_instance
from supervisor.clock import Clock, MonotonicClock
from supervisor.config.load import load
from supervisor.config.model import Config, ReadyKind
from supervisor.errors import PortsupError
from supervisor.plan.environment import inherited
from supervisor.plan.plan import Plan, instance_variables, with_dependencies
from supervisor.platform import os_facts
from supervisor.ports.lock import INHERITED_FD_MIN, LockFolder
from supervisor.ports.reserve import Reservation, reserve
from supervisor.process.guard import GuardLink
from supervisor.process.reap import Forest
from supervisor.records import InstanceRecord
from supervisor.supervise.console import DIM, Console
from supervisor.supervise.events import EventLog
from supervisor.supervise.launcher import Launcher, Started
from supervisor.supervise.timings import Timings

if TYPE_CHECKING:
    from supervisor.cli.herald import Herald
    from supervisor.control.server import ControlServer
    from supervisor.snapshot import ServiceSnapshot
    from supervisor.supervise.errand import Errand
    from supervisor.supervise.progress import Progress
    from supervisor.supervise.reload import Reloader
    from supervisor.supervise.supervisor import Supervisor
    from supervisor.supervise.unit import Unit, World


class Standing(NamedTuple):
    """Claims, spawns and the control socket stand."""

    record: InstanceRecord
    failed: list[str]
    """A line for each service that couldn't be spawned."""
    notices: list[str]
    """Warnings, and which ports were passed over: what a console would show."""


NEEDED_LATER = ("tomllib", "subprocess", "supervisor.cli.target")
"""Modules that are imported where they are needed, in that order."""


def load_ahead(until: Callable[[], bool]) -> None:
    """Import them while there is nothing better to do."""
    from importlib import import_module

    for module in NEEDED_LATER:
        if until():
            return
        import_module(module)


Announce = Callable[[Standing], None]
"""Called once."""


def bring_up(order: Order, link: GuardLink, announce: Announce) -> int:
    """Run an instance from its claims to its end; returns the exit code.

    Raises PortsupError if the instance can't be started; then nothing is left of it.
    """
    stack = ExitStack()
    try:
        instance = _claim(order, stack)
    except BaseException:
        stack.close()
        link.report_finished()  # nothing was spawned, nothing is locked: the guard has nothing to do
        raise
    # Should this raise, the stack isn't closed: locks go with the tree, and the guard ends both.
    code = instance.run(link, announce)
    stack.close()
    link.report_finished()
    return code


def _claim(order: Order, stack: ExitStack) -> _Instance:
    """All that an instance holds, to be closed in reverse order by `stack`."""
    os_facts.keep_spares()
    config = load(order.config)
    clock = MonotonicClock()
    private.make_state_folder()
    folder = LockFolder.open(paths.lock_folder())
    stack.callback(folder.close)
    claimed = claim_number(config, order.instance, folder, spare_own=order.errand is not None)
    stack.callback(claimed.claim.lock.give_back)
    os_facts.expect_descriptors(_descriptors(claimed.plan))
    names = [unit.name for unit in claimed.plan.units]
    selected = with_dependencies(claimed.plan, order.services or names)
    reservations = reserve(claimed.plan, claimed.claim.record, folder, clock)
    stack.callback(partial(_give_back, reservations))
    return _Instance(order, config, claimed, folder, clock, reservations, selected, stack)


def _descriptors(plan: Plan) -> int:
    """How many a supervisor of this plan has open, or somewhat fewer: locks and perhaps a listening socket,
    and a service's log, output, exit and perhaps its terminal."""
    return INHERITED_FD_MIN + sum(3 + unit.service.tty + 2 * len(unit.pools) for unit in plan.units)


def _give_back(reservations: list[Reservation]) -> None:
    """What no unit has taken over, as when the start failed."""
    for reservation in reversed(reservations):
        reservation.give_back()


class _Instance:
    def __init__(
        self,
        order: Order,
        config: Config,
        claimed: Claimed,
        folder: LockFolder,
        clock: Clock,
        reservations: list[Reservation],
        selected: frozenset[str],
        stack: ExitStack,
    ) -> None:
        self._order = order
        self._config = config
        self._plan = claimed.plan
        self._claim = claimed.claim
        self._record = claimed.claim.record
        self._folder = folder
        self._clock = clock
        self._began = clock.now()
        self._reservations = reservations
        self._selected = selected
        self._logs = Path(self._record.logs)
        self._notices: list[str] = []
        self._data_dir = private.make_data_folder(self._logs.parent)
        self._forest = Forest(self._record.instance_id)
        self._timings = Timings()
        self._console = self._open_console()
        if self._console is not None:
            stack.callback(self._console.close)
        self._herald = self._appoint_herald()
        self._progress: Progress | None = None
        self._events = EventLog(
            paths.event_log(self._logs),
            self._say,
            instance=self._record.instance,
            instance_id=self._record.instance_id,
        )
        stack.callback(self._events.close)
        self._launcher = Launcher(
            self._plan,
            self._claim,
            reservations,
            forest=self._forest,
            data_dir=self._data_dir,
            environ=environment(),
            clock=clock,
            terminal_size=self._terminal_size,
        )

    def run(self, link: GuardLink, announce: Announce) -> int:
        started = self._first_wave()
        self._show_progress()
        self._tell_start()  # to a console that has a thread, which slows down every spawn
        if self._order.errand is None:
            remember_instance(self._config, self._plan.instance)

        from supervisor.supervise.loop import run

        return run(self._supervise(link, announce, started))

    async def _supervise(self, link: GuardLink, announce: Announce, started: dict[str, Started]) -> int:
        from supervisor.control.server import ControlServer
        from supervisor.supervise.calls import Calls
        from supervisor.supervise.supervisor import Supervisor
        from supervisor.supervise.unit import Unit, World

        units: dict[str, Unit] = {}
        world = self._world(World, lambda: supervisor, link.report_socket)
        supervisor = Supervisor(
            self._plan,
            units,
            world,
            link,
            stay=self._stays,
            errand=self._make_errand(),
            settled=self._watcher(),
        )
        for unit in self._plan.units:
            units[unit.name] = Unit(unit, world, self._held(unit.name), up=unit.name in self._selected)
        calls = Calls(
            supervisor,
            self._launcher,
            self._timings,
            partial(self._make_reloader, supervisor, world),
            instance_id=self._record.instance_id,
            data_dir=self._data_dir,
        )
        socket = Path(self._record.socket)
        server = ControlServer(socket, calls.dispatch, supervisor.report_bug, attach=calls.attach)
        door = _Door(server, lambda: link.report_socket(socket), lambda: self._announce(units, announce))
        return await supervisor.run(door, started)

    def _make_reloader(self, supervisor: Supervisor, world: World) -> Reloader:
        from supervisor.supervise.reload import Reloader

        return Reloader(supervisor, world, self._console.know if self._console else _know_nothing)

    def _world(
        self, make: type[World], supervisor: Callable[[], Supervisor], socket_bound: Callable[[Path], None]
    ) -> World:
        return make(
            claim=self._claim,
            folder=self._folder,
            launcher=self._launcher,
            forest=self._forest,
            events=self._events,
            timings=self._timings,
            clock=self._clock,
            log_path=partial(paths.service_log, self._logs),
            notify_path=self._notify_path,
            echo=self._console.lines if self._console and self._shows_lines else None,
            changed=lambda: supervisor().changed(),
            tree_changed=lambda: supervisor().tree_changed(),
            ports_changed=lambda unit, pools: supervisor().ports_changed(unit, pools),
            socket_bound=socket_bound,
        )

    def _announce(self, units: Mapping[str, Unit], announce: Announce) -> None:
        failed = [f"{unit.name} is {unit.state}: {unit.reason}" for unit in units.values() if unit.failed]
        announce(Standing(self._record, failed, self._notices))

    def _notify_path(self, service: str) -> Path:
        return paths.service_socket(Path(self._record.socket), service)

    def _held(self, service: str) -> list[Reservation]:
        return [held for held in self._reservations if held.service == service]

    def _first_wave(self) -> dict[str, Started]:
        """The children that wait for nobody. One that can't be spawned is its unit's to report."""
        started = {}
        for unit in self._plan.units:
            service = unit.service
            notifies = service.ready.kind is ReadyKind.NOTIFY  # its socket is the event loop's
            if unit.name in self._selected and not service.depends_on and not notifies:
                try:
                    started[unit.name] = self._launcher.start(unit, self._held(unit.name), {})
                except PortsupError:
                    continue
        return started

    def _open_console(self) -> Console | None:
        if not self._order.console:
            return None
        label = f"{self._plan.instance}/" if self._order.labelled else ""
        stdout, stderr = self._order.colour
        return Console(
            [unit.name for unit in self._plan.units],
            label=label,
            colour={1: stdout, 2: stderr},
            lines_to=1 if self._order.errand is None else 2,
        )

    # What people see

    def _say(self, level: str, event: str, service: str | None, message: str) -> None:
        teller = self._progress or self._herald or self._console
        if teller is not None:
            teller.say(level, event, service, message)

    def _show_progress(self) -> None:
        if self._herald is None and self._console is not None and self._console.can_draw:
            from supervisor.supervise.progress import Progress

            self._progress = Progress(self._console, self._timings, self._clock, self._began)

    def _watcher(self) -> Callable[[Supervisor], None] | None:
        """What is told of each change, where somebody looks on."""
        if self._console is None:
            return None
        from supervisor.supervise.failures import Failures

        failures = Failures(partial(self._tell_failure, self._console))

        def watch(supervisor: Supervisor) -> None:
            failures.look(supervisor)
            if self._progress is not None:
                self._progress.look(supervisor)

        return watch

    def _tell_failure(self, console: Console, service: ServiceSnapshot, ends: bool) -> None:
        from supervisor.cli.failure import post_mortem

        if self._herald is None or self._herald.tells_failures:
            for line in post_mortem(self._record, service, stays=not ends and self._herald is None):
                console.add(service.name, line, DIM)

    def _terminal_size(self) -> os.terminal_size:
        """What is free beside the name on the terminal where a service's lines are shown, if they are."""
        from supervisor.region import USUAL_SIZE

        shown = self._console.size() if self._console and self._shows_lines else None
        return shown or USUAL_SIZE

    # An errand

    def _appoint_herald(self) -> Herald | None:
        if self._order.errand is None or self._console is None:
            return None
        from supervisor.cli.herald import Herald

        return Herald(self._order.errand, self._record, self._console.say)

    @property
    def _stays(self) -> bool:
        """Whether it goes on when every service is over by itself."""
        return not self._order.console or self._order.errand is not None

    @property
    def _shows_lines(self) -> bool:
        return self._order.errand is None or self._order.errand.verbose

    def _make_errand(self) -> Errand | None:
        """With the variables of `portsup exec`, and without those of an instance around us."""
        if self._order.errand is None or self._herald is None:
            return None
        from supervisor.supervise.errand import Errand
        from supervisor.supervise.rotation import set_aside

        for unit in self._plan.units:  # what the logs hold then is this run's
            set_aside(paths.service_log(self._logs, unit.name))
        own = instance_variables(
            self._plan,
            self._launcher.claimed,
            instance_id=self._record.instance_id,
            data_dir=self._data_dir,
        )
        return Errand(
            self._order.errand.command,
            {**inherited(os.environ), **own},
            self._forest,
            self._herald,
            timeout=self._order.errand.timeout,
        )

    def _tell_start(self) -> None:
        problems = (*self._config.warnings, *self._plan.warnings)
        warnings = [*self._folder.warnings, *(problem.brief for problem in problems)]
        self._notices += [f"warning: {text}" for text in warnings]
        for text in warnings:
            self._events.warning("config.warning", text)
        self._events.info(
            "instance.claimed",
            f"instance {self._plan.instance} of {self._plan.stack}, base port {self._plan.base_port}",
            pid=self._record.supervisor.pid,
            ports={f"{held.service}.{held.pool.name}": held.port for held in self._reservations},
        )
        for held in self._reservations:
            self._timings.add(held.service, "claim", held.claim_seconds)
            self._tell_passed_over(held)

    def _tell_passed_over(self, held: Reservation) -> None:
        """Another port than the pool's first is never taken in silence."""
        for port in held.pool.ports[: held.pool.ports.index(held.port)]:
            from supervisor.ports import owner  # mostly there is nothing to tell

            line = f"{owner.inspect(self._folder.path, port).line()}; using {held.port}"
            self._notices.append(f"{held.service}: {line}")
            self._events.info("port.passed_over", line, service=held.service, port=held.port)


class _Door:
    """The control server, and what is to happen when it stands."""

    def __init__(self, server: ControlServer, report: Callable[[], None], opened: Callable[[], None]) -> None:
        """`report` is called for each socket that is bound, `opened` once."""
        self._server = server
        self._report = report
        self._opened = opened

    async def start(self) -> None:
        await self._server.start()
        self._report()
        self._opened()

    async def restore(self) -> bool:
        restored = await self._server.restore()
        if restored:
            self._report()
        return restored

    async def close(self) -> None:
        await self._server.close()


def _know_nothing(_services: Sequence[str]) -> None:
    pass
