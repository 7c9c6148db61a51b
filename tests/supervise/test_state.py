"""The table of states and events."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.snapshot import SERVICE_STATES
from supervisor.supervise.state import AT_REST, TABLE, Action, Event, State, step

ENDED = [event for event in Event if event.name.startswith("ENDED")]


@pytest.mark.parametrize(("state", "event"), list(product(State, Event)))
def test_no_cell_is_missing(state: State, event: Event) -> None:
    """Each state knows what to do with each event."""
    after, action = step(state, event)
    assert isinstance(after, State)
    assert isinstance(action, Action)


def test_the_table_has_nothing_more() -> None:
    """One row a state, one cell an event."""
    assert set(TABLE) == set(State)
    assert all(set(row) == set(Event) for row in TABLE.values())


def test_everybody_outside_knows_the_states() -> None:
    """Those who only read snapshots too."""
    assert tuple(State) == SERVICE_STATES


@pytest.mark.parametrize(("state", "event"), list(product(State, Event)))
def test_ports_are_given_back_exactly_on_coming_to_rest(state: State, event: Event) -> None:
    """A unit at rest holds no port, save one that was never started nor stopped; one that isn't never
    loses its ports."""
    after, action = step(state, event)
    comes_to_rest = after in AT_REST and state not in AT_REST
    is_stopped_there = state in AT_REST and event in (Event.STOP, Event.KILL)
    assert (action is Action.GIVE_BACK) == (comes_to_rest or is_stopped_there)


@pytest.mark.parametrize(("state", "event"), list(product(State, Event)))
def test_a_child_is_spawned_only_where_none_lives(state: State, event: Event) -> None:
    """SPAWN happens only on the way from PENDING, where nothing of an earlier child is left."""
    after, action = step(state, event)
    if action is Action.SPAWN:
        assert (state, after) == (State.PENDING, State.STARTING)
    if after is State.STARTING and state is not State.STARTING:
        assert action is Action.SPAWN


@pytest.mark.parametrize("state", [State.STARTING, State.RUNNING])
@pytest.mark.parametrize("event", [e for e in Event if e not in ENDED])
def test_a_live_unit_comes_to_rest_only_through_stopping(state: State, event: Event) -> None:
    """No event but the end of its tree takes a unit with a child to rest."""
    assert step(state, event)[0] not in AT_REST


@pytest.mark.parametrize("event", [Event.STOP, Event.KILL])
@pytest.mark.parametrize("state", list(State))
def test_a_stop_is_always_on_its_way(state: State, event: Event) -> None:
    """After STOP or KILL a unit is at rest or being ended, whatever it was doing."""
    assert step(state, event)[0] in AT_REST | {State.STOPPING}


@given(st.lists(st.sampled_from(Event), max_size=30))
def test_any_history_can_be_stopped(history: list[Event]) -> None:
    """From wherever a history leads, STOP and the end of the tree lead to rest."""
    state = State.PENDING
    for event in [*history, Event.STOP, Event.ENDED_STOPPED]:
        state, _ = step(state, event)
    assert state in AT_REST
