"""The measurements (g): claims a second with lock, probe and record, and ports that were given out twice."""

from __future__ import annotations

import fcntl
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from claims import Claimer, claimers
from figures import Case, Figure, Server, Turn
from harness import port_block, private_home

PROCESSES = 8
CLAIMS = 100
"""Of each process: all together fit into a block of ports."""
REPEATS = 5

ALONE = "claims a second of 1 process"
TOGETHER = f"claims a second of {PROCESSES} processes at once"
TWICE = f"of {PROCESSES * CLAIMS} ports handed out twice by {PROCESSES} at once"


def claims(server: Server, turn: Turn) -> Iterator[Figure]:
    """As `portsup up` claims: a port out of each of a hundred pools. At once, all want the same pools."""
    del server, turn
    with private_home() as home, port_block() as first:
        folder, bare = home.folder / "locks", home.folder / "bare"
        folder.mkdir()
        bare.mkdir()
        with claimers(folder, [pools(first)] * PROCESSES) as all_:
            for _ in range(REPEATS):
                yield figure(ALONE, "portsup", rate_of(all_[:1])[0])
                yield figure(ALONE, "bare", flocks_a_second(bare / "lock"))
                together, ports = rate_of(all_)
                yield figure(TOGETHER, "portsup", together)
                yield Figure("g", TWICE, "portsup", handed_out_twice(ports), "")


def pools(first: int) -> dict[str, list[int]]:
    """As many ports in each as there are processes, so that all of them get one, and meet on each."""
    starts = range(first, first + CLAIMS * PROCESSES, PROCESSES)
    return {f"s{start}": list(range(start, start + PROCESSES)) for start in starts}


def rate_of(claiming: Sequence[Claimer]) -> tuple[float, list[int]]:
    for claimer in claiming:
        claimer.tell("timed claim")
    answers = [claimer.answer() for claimer in claiming]
    for claimer in claiming:
        claimer.ask("release")
    return rate_and_ports([{**answer, "ports": answer["answer"]} for answer in answers])


def rate_and_ports(answers: Sequence[Mapping[str, Any]]) -> tuple[float, list[int]]:
    """Ports a second from the first process's start to the last one's end, and the ports."""
    ports = [port for answer in answers for port in answer["ports"]]
    took = max(answer["ended"] for answer in answers) - min(answer["began"] for answer in answers)
    return len(ports) / took, ports


def handed_out_twice(ports: Sequence[int]) -> int:
    """How many claims got a port that somebody else had already."""
    return sum(times - 1 for times in Counter(ports).values())


def flocks_a_second(path: Path) -> float:
    count, began = 0, time.monotonic()
    while (took := time.monotonic() - began) < 0.1:
        flock_and_unlink(path)
        count += 1
    return count / took


def flock_and_unlink(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    path.unlink()
    os.close(descriptor)


def figure(what: str, launcher: str, value: float) -> Figure:
    return Figure("g", what, launcher, value, "1/s")


CASES = (Case("g", claims),)
