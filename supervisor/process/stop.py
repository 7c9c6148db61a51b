"""Ending a tree: ask its group, and kill all of it."""

from __future__ import annotations

import signal
from collections.abc import Sequence

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
    return _with_leader(child, _meant(child, forest, unit, mode))


def remaining_of(child: Child, members: Sequence[Process], mode: StopMode) -> list[Process]:
    """The same of a tree that was looked at just now."""
    return _with_leader(child, _among(child, members, mode))


def _with_leader(child: Child, meant: Sequence[Process]) -> list[Process]:
    found = {process.pid: process for process in meant}
    if not child.reaped and (leader := os_facts.process(child.pid)):
        found[leader.pid] = leader
    return list(found.values())


def kill(child: Child, forest: Forest, unit: str, mode: StopMode) -> int:
    """SIGKILL everyone that `remaining` names, once. How many that were.

    They may fork meanwhile: call it again until nobody remains.
    """
    alive = [process for process in remaining(child, forest, unit, mode) if not process.zombie]
    return sum(os_facts.send_signal(process.owner, signal.SIGKILL) for process in alive)


def _meant(child: Child, forest: Forest, unit: str, mode: StopMode) -> list[Process]:
    """Whom a stop in this mode is meant for, beside the child."""
    if mode is StopMode.PROCESS:
        return []  # nobody: there is no need to look
    return _among(child, forest.members(unit), mode)


def _among(child: Child, members: Sequence[Process], mode: StopMode) -> list[Process]:
    """The same of a tree that was looked at just now."""
    if mode is StopMode.PROCESS:
        return []
    return [process for process in members if mode is StopMode.TREE or process.pgid == child.pid]
