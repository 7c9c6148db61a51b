"""What one unit tells the event log, and how loud."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from supervisor.config.model import ReadyKind
from supervisor.plan.plan import url
from supervisor.process.child import Exit
from supervisor.supervise.events import EventLog
from supervisor.supervise.state import Event, State


class UnitEvents:
    def __init__(self, unit: str, events: EventLog, ports: Callable[[], Mapping[str, int]]) -> None:
        """`ports` gives those that it holds: pool name to port."""
        self._unit = unit
        self._events = events
        self._ports = ports

    def became(
        self, state: State, event: Event, *, pid: int | None, reason: str | None, ready: ReadyKind
    ) -> None:
        """It changed its state at `event`. `ready`: what makes it ready."""
        text = str(state)
        main = self._ports().get("port")
        # Those whose port was asked are known to answer there.
        if state is State.RUNNING and ready in (ReadyKind.HTTP, ReadyKind.TCP) and main is not None:
            text += f" on {url(main)}"
        if reason:
            text += f": {reason}"
        self._teller(state, event, ready)(
            f"unit.{state.lower()}", text, service=self._unit, pid=pid, reason=reason, **self._port_fields()
        )

    def _teller(self, state: State, event: Event, ready: ReadyKind) -> Callable[..., None]:
        """What another line says as well goes to the file alone."""
        if state is State.FATAL:
            return self._events.error
        if event is Event.CHILD_EXITED or state in (State.STARTING, State.PENDING):
            return self._events.detail  # what comes of it follows at once
        if state is State.RUNNING and ready is ReadyKind.SPAWNED:
            return self._events.detail  # that it was started has been said, and more isn't known
        return self._events.info

    def spawned(self, pid: int) -> None:
        port = self._ports().get("port")
        where = f" on port {port}" if port is not None else ""
        self._events.info(
            "unit.spawned",
            f"started{where}, pid {pid}",
            service=self._unit,
            pid=pid,
            **self._port_fields(),
        )

    def exited(self, result: Exit) -> None:
        self._events.detail("unit.exited", f"ended with {result}", service=self._unit)

    def daemonised(self) -> None:
        self._events.info("unit.daemonised", "its first process ended, the rest goes on", service=self._unit)

    def shield_lost(self, message: str) -> None:
        self._events.error("unit.shield_lost", message, service=self._unit, **self._port_fields())

    def elsewhere(self, ports: Sequence[int], variable: str) -> None:
        """It listens on `ports`, and not on its own, which `variable` names."""
        own, listed = self._ports().get("port"), ", ".join(map(str, ports))
        where = f"{listed}, not on its port {own}" if ports else f"no port, though {own} is its own"
        self.warning("elsewhere", f"{self._unit} listens on {where}: does it read {variable}?")

    def warning(self, event: str, message: str) -> None:
        self._events.warning(f"unit.{event}", message, service=self._unit, **self._port_fields())

    def _port_fields(self) -> dict[str, object]:
        """The main port, and all of them where there are more."""
        ports = self._ports()
        fields: dict[str, object] = {"port": ports.get("port")}
        return fields if len(ports) < 2 else {**fields, "ports": dict(ports)}
