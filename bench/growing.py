"""The measurement (j): what the hundredth instance on a machine costs, beside the first."""

from __future__ import annotations

import mmap
import statistics
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import psutil
from figures import Case, Figure, Server, Turn
from harness import write_stack
from idling import cpu_seconds
from launchers import PORTSUP, STACK, Bare, Launcher, Portsup
from measures import COLD_STARTS
from turns import on_a_stage
from watching import SETTLE_SECONDS, WATCH_SECONDS

INSTANCES = 100
SERVICES = 5
STRIDE = 10
"""So that the ports of all fit into one block of 1000."""

MEMORY_OF_ONE = 32 * 2**20
"""Bytes, generously: of guard, supervisor and services."""

ENDS = 10
"""The medians of so many starts are compared: of the first ones, and of the last ones."""

LOOKS = (("status", "--all"), ("status", "--all", "--json"), ("ps",), ("ps", "--json"))


def growth(server: Server, turn: Turn) -> Iterator[Figure]:
    del turn
    yield from on_a_stage(Portsup, server, grow)


def grow(portsup: Launcher) -> Iterator[Figure]:
    """A hundred instances of five idle services, started one after the other. Bare: the first ones'
    time and one's alone; for a command that looks at all, an interpreter that does nothing."""
    write_services(portsup)
    touch_memory()
    began = [start(portsup, 1)]
    alone = cost_of_one(portsup, instances=1)
    began += [start(portsup, number) for number in range(2, INSTANCES + 1)]
    crowded = cost_of_one(portsup, instances=INSTANCES)
    for kind, took in zip(("`portsup up -d`", "`python -c pass`"), zip(*began, strict=True), strict=True):
        first, last = (statistics.median(some) for some in (took[:ENDS], took[-ENDS:]))
        yield from beside(
            f"{kind} at the last of {INSTANCES} instances, beside at the first", last, first, "ms"
        )
    what = f"an instance of {SERVICES} services among {INSTANCES}, beside one alone"
    yield from beside(f"CPU a second of {what}", crowded.cpu, alone.cpu, "ms/s")
    yield from beside(f"memory (PSS) of {what}", crowded.memory, alone.memory, "MiB")
    yield from looks(portsup)
    portsup.run([PORTSUP, "down", "--all"])


def touch_memory() -> None:
    """As much as the instances will take, given back at once.

    A virtual machine gets its memory from the host when it is first used, and each such page costs several
    times what it costs later. Instances keep theirs, so that the last ones would pay for the machine.
    """
    size = min(INSTANCES * MEMORY_OF_ONE, psutil.virtual_memory().available // 2)
    with mmap.mmap(-1, size) as memory:
        for page in range(0, size, mmap.PAGESIZE):
            memory[page] = 1


def write_services(portsup: Launcher) -> None:
    run = portsup.stage
    service = {"command": list(run.server)}
    services = {f"s{n}": {**service, "pool": {"offset": n, "size": 1}} for n in range(SERVICES)}
    write_stack(run.home.folder, services, base_port=run.first_port, name=STACK, stride=STRIDE)


def looks(portsup: Launcher) -> Iterator[Figure]:
    for _ in range(COLD_STARTS):
        nothing = portsup.run(Bare(portsup.stage).status())
        for look in LOOKS:
            what = f"`portsup {' '.join(look)}`, {INSTANCES} instances up, beside `python -c pass`"
            yield from beside(what, portsup.run([PORTSUP, *look]), nothing, "ms")


def beside(what: str, ours: float, bare: float, unit: str) -> Iterable[Figure]:
    return Figure("j", what, Portsup.name, ours, unit), Figure("j", what, "bare", bare, unit)


def start(portsup: Launcher, number: int) -> tuple[float, float]:
    """Milliseconds of one `up`, and, when all of its services accept, of an interpreter that does nothing:
    what the machine itself has become slower by, as when its memory has to be found first."""
    took = portsup.run([PORTSUP, "up", "--detach", "--instance", str(number)])
    portsup.stage.events.all_ready(SERVICES)
    return took, portsup.run(Bare(portsup.stage).status())


@dataclass(frozen=True)
class Cost:
    """Of the guard and the supervisor of one instance, on average."""

    cpu: float
    """Milliseconds a second."""
    memory: float
    """MiB, by PSS: what several processes share is counted once, in equal parts."""


def cost_of_one(portsup: Launcher, instances: int) -> Cost:
    time.sleep(SETTLE_SECONDS)
    own = portsup.own_processes()
    assert len(own) == 2 * instances, f"{len(own)} processes of {instances} instances"
    before = cpu_seconds(own)
    time.sleep(WATCH_SECONDS)
    used = (cpu_seconds(own) - before) / WATCH_SECONDS
    memory = sum(process.memory_full_info().pss for process in own)
    return Cost(used * 1000 / instances, memory / 2**20 / instances)


CASES = (Case("j", growth, every=5),)
