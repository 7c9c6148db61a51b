"""A unit has ended: what follows. Pure."""

from __future__ import annotations

from enum import Enum, auto

from supervisor.config.model import OnLost, Restart
from supervisor.supervise.state import Event


class Wanted(Enum):
    """What somebody wants of a unit."""

    UP = auto()
    DOWN = auto()
    AGAIN = auto()
    """Down and then up: a restart."""


class Cause(Enum):
    """Why it ended, beside somebody's wish."""

    EXITED_OK = auto()
    FAILED = auto()
    """Exit code, signal, or never ready."""
    OCCUPIED = auto()
    """Its port couldn't be bound before it was spawned again."""
    UNSPAWNABLE = auto()
    """Its command can't be run: trying again won't mend that."""
    SHIELD_LOST = auto()


def may_retry(cause: Cause, restart: Restart) -> bool:
    """Whether the policy asks for another try after such an end."""
    if cause is Cause.EXITED_OK:
        return restart is Restart.ALWAYS
    return cause is Cause.FAILED and restart is not Restart.NO


def verdict(wanted: Wanted, cause: Cause, restart: Restart, on_lost: OnLost, *, given_up: bool) -> Event:
    """`given_up`: the backoff's limit is reached."""
    if wanted is Wanted.DOWN:
        return Event.ENDED_STOPPED
    if wanted is Wanted.AGAIN:
        return Event.ENDED_AGAIN
    if cause is Cause.OCCUPIED:
        return Event.ENDED_RETRY  # whatever the policy: it hasn't even been started
    if cause is Cause.UNSPAWNABLE:
        return Event.ENDED_FATAL
    if cause is Cause.SHIELD_LOST:
        return Event.ENDED_AGAIN if on_lost is OnLost.ROTATE else Event.ENDED_FATAL
    if may_retry(cause, restart):
        return Event.ENDED_FATAL if given_up else Event.ENDED_RETRY
    return Event.ENDED_DONE
