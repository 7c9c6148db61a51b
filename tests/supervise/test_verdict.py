"""What follows an end."""

from __future__ import annotations

from itertools import product

import pytest

from supervisor.config.model import OnLost, Restart
from supervisor.supervise.state import Event
from supervisor.supervise.verdict import Cause, Wanted, verdict

E, C, R = Event, Cause, Restart

UP = [
    (C.EXITED_OK, R.NO, E.ENDED_DONE),
    (C.EXITED_OK, R.ON_FAILURE, E.ENDED_DONE),
    (C.EXITED_OK, R.ALWAYS, E.ENDED_RETRY),
    (C.FAILED, R.NO, E.ENDED_DONE),
    (C.FAILED, R.ON_FAILURE, E.ENDED_RETRY),
    (C.FAILED, R.ALWAYS, E.ENDED_RETRY),
    (C.OCCUPIED, R.NO, E.ENDED_RETRY),
    (C.OCCUPIED, R.ON_FAILURE, E.ENDED_RETRY),
    (C.OCCUPIED, R.ALWAYS, E.ENDED_RETRY),
    (C.UNSPAWNABLE, R.NO, E.ENDED_FATAL),
    (C.UNSPAWNABLE, R.ON_FAILURE, E.ENDED_FATAL),
    (C.UNSPAWNABLE, R.ALWAYS, E.ENDED_FATAL),
    (C.SHIELD_LOST, R.NO, E.ENDED_FATAL),
    (C.SHIELD_LOST, R.ON_FAILURE, E.ENDED_FATAL),
    (C.SHIELD_LOST, R.ALWAYS, E.ENDED_FATAL),
]


def test_the_table_is_complete() -> None:
    """Every cause with every policy."""
    assert [row[:2] for row in UP] == list(product(Cause, Restart))


@pytest.mark.parametrize(("cause", "restart", "expected"), UP)
def test_policy(cause: Cause, restart: Restart, expected: Event) -> None:
    """While it is wanted up, cause and policy decide."""
    assert verdict(Wanted.UP, cause, restart, OnLost.STOP, given_up=False) is expected


@pytest.mark.parametrize(("cause", "restart", "expected"), UP)
def test_giving_up(cause: Cause, restart: Restart, expected: Event) -> None:
    """At the limit a retry becomes FATAL, save where the service isn't to blame; nothing else changes."""
    given_up = verdict(Wanted.UP, cause, restart, OnLost.STOP, given_up=True)
    fails = expected is E.ENDED_RETRY and cause is not C.OCCUPIED
    assert given_up is (E.ENDED_FATAL if fails else expected)


@pytest.mark.parametrize(("cause", "restart"), list(product(Cause, Restart)))
def test_a_wish_comes_before_the_policy(cause: Cause, restart: Restart) -> None:
    """Stopped means stopped, and restarted means up again, however it ended."""
    for given_up in (False, True):
        down = verdict(Wanted.DOWN, cause, restart, OnLost.STOP, given_up=given_up)
        again = verdict(Wanted.AGAIN, cause, restart, OnLost.STOP, given_up=given_up)
        assert (down, again) == (E.ENDED_STOPPED, E.ENDED_AGAIN)


def test_rotation() -> None:
    """`on_lost = "rotate"` starts it anew, on another port."""
    assert verdict(Wanted.UP, C.SHIELD_LOST, R.NO, OnLost.ROTATE, given_up=False) is E.ENDED_AGAIN
