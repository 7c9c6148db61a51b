"""Descriptors kept back for looking at processes when all others are taken.

Every look at /proc opens something. A supervisor that has no descriptor left couldn't tell a tree that
lives from one that is gone, and couldn't end it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from typing import ParamSpec, TypeVar

ENOUGH = 3
"""A signal is sent through a pidfd while the process's start time is read."""

P = ParamSpec("P")
T = TypeVar("T")

_kept: list[int] = []
_wanted = 0


def keep() -> None:
    """From now on have some. Those that can't be had now are taken when a look gives its own back."""
    global _wanted
    _wanted = ENOUGH
    _fill()


def lend(look: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """What `look` returns; if it fails for want of a descriptor, with a spare one."""
    try:
        return look(*args, **kwargs)
    except OSError as error:
        if error.errno != errno.EMFILE or not _kept:
            raise
        os.close(_kept.pop())
    try:
        return look(*args, **kwargs)
    finally:
        _fill()


def _fill() -> None:
    with suppress(OSError):
        while len(_kept) < _wanted:
            _kept.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
