"""Launchers taking turns: each on a stage of its own, and a peer that fails spoils its own figures only."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import psutil
from figures import Figure, Measure, Server, Turn
from launchers import Launcher, stage

FAILURES = (AssertionError, OSError, subprocess.SubprocessError, psutil.Error)


def in_turn(
    measure_one: Callable[[Launcher], Iterator[Figure]],
    takes_part: Callable[[type[Launcher]], bool] = lambda _kind: True,
) -> Measure:
    """The measurement that carries out `measure_one` with each launcher that takes part."""

    def measure(server: Server, turn: Turn) -> Iterator[Figure]:
        for kind in filter(takes_part, turn):
            yield from on_a_stage(kind, server, measure_one)

    return measure


def on_a_stage(
    kind: type[Launcher], server: Server, measure_one: Callable[[Launcher], Iterator[Figure]]
) -> list[Figure]:
    """What one launcher yields. The stage ends what is left of it, also when it fails."""
    launcher = None
    try:
        with stage(server) as run:
            launcher = kind(run)
            return list(measure_one(launcher))
    except FAILURES as failure:
        if not kind.is_peer:
            raise
        print(f"\n{kind.name} takes no part in {measure_one.__name__}: {failure}", file=sys.stderr)
        return []
    finally:
        if launcher is not None:
            launcher.reap()
