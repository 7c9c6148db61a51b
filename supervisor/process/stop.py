"""Ending a tree: ask its group, and kill all of it."""

from __future__ import annotations

import signal

from supervisor.config.model import Stop, StopMode
from supervisor.platform import os_facts
from supervisor.platform.contract import Process
from supervisor.process.child import Child
from supervisor.process.reap import Forest


def ask(child: Child, forest: Forest, unit: str, stop: Stop) -> None:
    """Send the stop signal to the child's group (to the child alone in mode `process`).

    Once the child is reaped, as that of a service that daemonised itself, whoever is left has made a
    group of its own: then to each of those whom the stop is meant for.
    """
    if stop.mode is StopMode.PROCESS:
        os_facts.send_signal(child.owner, stop.signal)
    elif not child.signal_group(stop.signal):
        for process in _meant(child, forest, unit, stop.mode):
            os_facts.send_signal(process.owner, stop.signal)


def remaining(child: Child, forest: Forest, unit: str, mode: StopMode) -> list[Process]:
    """Those who must be gone before the stop is done; the first process counts until it is reaped."""
    found = {process.pid: process for process in _meant(child, forest, unit, mode)}
    if not child.reaped and (leader := os_facts.process(child.owner.pid)):
        found[leader.pid] = leader
    return list(found.values())


def kill(child: Child, forest: Forest, unit: str, mode: StopMode) -> int:
    """SIGKILL everyone that `remaining` names, once. How many that were.

    They may fork meanwhile: call it again until nobody remains.
    """
    alive = [process for process in remaining(child, forest, unit, mode) if not process.zombie]
    return sum(os_facts.send_signal(process.owner, signal.SIGKILL) for process in alive)


def _meant(child: Child, forest: Forest, unit: str, mode: StopMode) -> list[Process]:
    if mode is StopMode.PROCESS:
        return []
    members = forest.members(unit)
    return members if mode is StopMode.TREE else _group(child, members)


def _group(child: Child, members: list[Process]) -> list[Process]:
    return [process for process in members if process.pgid == child.owner.pid]
