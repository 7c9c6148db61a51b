"""The measurements (a), (b), (c) and (f): start, stop, restart, and what a command takes."""

from __future__ import annotations

import os
import random
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from datagrams import Event
from figures import Case, Figure, Measure, Server, Turn, milliseconds
from launchers import PORTSUP, DetachedPortsup, Launcher, Stage
from turns import in_turn, on_a_stage

PYTHON_SERVER = (sys.executable, "-E", "-s", str(Path(__file__).with_name("pyserver.py")))
KILLS = 10
FEWEST_KILLS, ENOUGH_MILLISECONDS = 2, 2000
"""No more than so many, once they have taken so long."""
SETTLE_SECONDS = 2.0
"""After which also those that wait a second before they call a service started do so."""
BREATH_SECONDS = 0.5
"""Between start and stop, so that what is left to do after the start is no part of the stop: some listen
to signals only then."""
COLD_STARTS = 5


def up_and_down(count: int) -> Measure:
    """(a) from the start of the launcher to the last service accepting, and (b) from the request to
    stop until the services are gone, and the launcher too."""

    def up_then_stop(launcher: Launcher) -> Iterator[Figure]:
        took = milliseconds_up(launcher, count)
        yield Figure("a", f"up, {count} tiny services", launcher.name, took, "ms")
        time.sleep(BREATH_SECONDS)
        services, launcher_too = launcher.stop()
        yield Figure("b", f"stop of {count}: services gone", launcher.name, services, "ms")
        yield Figure("b", f"stop of {count}: launcher gone too", launcher.name, launcher_too, "ms")

    def down(launcher: Launcher) -> Iterator[Figure]:
        milliseconds_up(launcher, count)
        launcher.process.wait()
        took = launcher.run([PORTSUP, "down"])
        yield Figure("b", f"`portsup down` of {count}", launcher.name, took, "ms")

    def measure(server: Server, turn: Turn) -> Iterator[Figure]:
        yield from in_turn(up_then_stop)(server, turn)
        yield from on_a_stage(DetachedPortsup, server, down)

    return measure


def up_python(launcher: Launcher) -> Iterator[Figure]:
    yield Figure("a", "up, 5 Python services", launcher.name, milliseconds_up(launcher, 5), "ms")
    time.sleep(BREATH_SECONDS)
    launcher.stop()


def with_python_services(server: Server, turn: Turn) -> Iterator[Figure]:
    del server
    return in_turn(up_python)(PYTHON_SERVER, turn)


def milliseconds_up(launcher: Launcher, count: int) -> float:
    launcher.start(count)
    ready = launcher.stage.events.all_ready(count)
    check_all_accept(launcher.stage, count)
    return milliseconds(max(event.at for event in ready.values()) - launcher.started_at)


def check_all_accept(run: Stage, count: int) -> None:
    for port in range(run.first_port, run.first_port + count):
        socket.create_connection(("127.0.0.1", port), timeout=5).close()


def restart(launcher: Launcher) -> Iterator[Figure]:
    """(c) from kill -9 of a service to its replacement accepting, without a backoff."""
    launcher.start(KILLS)
    ready = launcher.stage.events.all_ready(KILLS)
    time.sleep(SETTLE_SECONDS)
    took: list[float] = []
    for killed in ready.values():
        if len(took) >= FEWEST_KILLS and sum(took) > ENOUGH_MILLISECONDS:
            break
        time.sleep(pause_after(took))
        took.append(milliseconds_to_the_next(launcher.stage, killed))
        yield Figure("c", "kill -9 to the next one accepting", launcher.name, took[-1], "ms")
    launcher.stop()


def pause_after(took: Sequence[float]) -> float:
    """Seconds, so that each kill is measured alone, and in nobody's beat: who looks at its services now
    and then has just done so when the last one was restarted."""
    last = took[-1] / 1000 if took else 0
    return 0.1 + 0.037 * len(took) + last * random.random()


def milliseconds_to_the_next(run: Stage, service: Event) -> float:
    killed_at = time.monotonic_ns()
    os.kill(service.pid, signal.SIGKILL)
    successor = run.events.next("ready")
    assert successor.port == service.port and successor.pid != service.pid, "another service restarted"
    return milliseconds(successor.at - killed_at)


def cold_status(launcher: Launcher) -> Iterator[Figure]:
    """(f) whole commands with five services up; the bare one is an interpreter that does nothing."""
    launcher.start(5)
    launcher.stage.events.all_ready(5)
    time.sleep(BREATH_SECONDS)
    commands = {"status": launcher.status(), "status as JSON": launcher.status_as_json()}
    for _ in range(COLD_STARTS):
        for what, command in commands.items():
            if command is not None:
                yield Figure("f", f"{what}, cold, 5 services up", launcher.name, launcher.run(command), "ms")
    launcher.stop()


CASES = (
    Case("ab", up_and_down(5), peers=True),
    Case("ab", up_and_down(50), peers=True),
    Case("a", with_python_services, peers=True),
    Case("c", in_turn(restart, lambda kind: kind.restarts), peers=True),
    Case("f", in_turn(cold_status, lambda kind: kind.has_status), peers=True),
)
