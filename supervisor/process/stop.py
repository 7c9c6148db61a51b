"""Ending a tree: ask its group, and kill all of it."""

from __future__ import annotations

from supervisor.config.model import Stop, StopMode
from supervisor.platform.contract import Process
from supervisor.process.child import Child
from supervisor.process.reap import Forest


def ask(child: Child, forest: Forest, unit: str, stop: Stop) -> None:
    """Send the stop signal to the child's group (to the child alone in mode `process`)."""
    raise NotImplementedError


def remaining(child: Child, forest: Forest, unit: str, mode: StopMode) -> list[Process]:
    """Those who must be gone before the stop is done; the first process counts until it is reaped."""
    raise NotImplementedError


def kill(child: Child, forest: Forest, unit: str, mode: StopMode) -> int:
    """SIGKILL everyone that `remaining` names, once. How many that were."""
    raise NotImplementedError
