"""The life of a unit as one table: for each state and event the next state and what to do.

A unit has a current state, and somebody wants it up, down or started anew (`Wanted`). A start takes it
to PENDING, where it waits for its dependencies; then a child is spawned and it is STARTING until that
is ready, then RUNNING. Whatever ends this (a stop, a crash, a check that never came true, a lost
shield) leads through STOPPING, where the tree is asked and then made to end. Only when no process of
the tree is left does the unit leave STOPPING, by one of the ENDED events; which one is decided in
`verdict.py` from what is wanted and how it ended. So nothing is ever restarted, or its port given
back, while something of it still lives.

EXITED is over by itself, FATAL is given up, STOPPED was asked for; in these three it holds no port, save
one that was never started.

Entering a state cancels the timers of the one before. An event that comes late finds a cell that
ignores it; a test walks all cells. No I/O here.
"""

from __future__ import annotations

from enum import Enum, StrEnum, auto


class State(StrEnum):
    PENDING = "PENDING"
    """Waits for dependencies."""
    STARTING = "STARTING"
    """Spawned, not ready."""
    RUNNING = "RUNNING"
    """Ready."""
    BACKOFF = "BACKOFF"
    """Waits before the next try."""
    STOPPING = "STOPPING"
    """The tree is being ended."""
    STOPPED = "STOPPED"
    """Ended because somebody asked for it."""
    EXITED = "EXITED"
    """Ended by itself, and not to be restarted."""
    FATAL = "FATAL"
    """Given up."""


AT_REST = frozenset({State.STOPPED, State.EXITED, State.FATAL})
"""No process, no port, nothing under way."""


class Event(Enum):
    START = auto()
    """Somebody wants it up, and its ports are claimed."""
    UNBLOCKED = auto()
    """Every dependency is ready."""
    READY = auto()
    READY_TIMED_OUT = auto()
    CHILD_EXITED = auto()
    """The first process is gone, or the last one of a service that daemonised itself."""
    DELAY_OVER = auto()
    STOP = auto()
    KILL = auto()
    STOP_TIMED_OUT = auto()
    SHIELD_LOST = auto()
    ENDED_STOPPED = auto()
    """Nothing of it is left, as somebody wanted."""
    ENDED_AGAIN = auto()
    """Nothing of it is left, and it is to start anew at once."""
    ENDED_RETRY = auto()
    """It failed, or ended and must always run: try again after a wait."""
    ENDED_DONE = auto()
    """It is over, and its policy says to leave it."""
    ENDED_FATAL = auto()
    """It failed too often, or in a way that trying again won't mend."""


class Action(Enum):
    NOTHING = auto()
    SPAWN = auto()
    ANNOUNCE = auto()
    """It is ready: tell those who wait."""
    ASK = auto()
    """Send the stop signal, and set the time after which KILL_TREE follows."""
    SWEEP = auto()
    """End what a child left: the stop way after exit code 0, SIGKILL after a crash."""
    KILL_TREE = auto()
    WAIT = auto()
    """Set the time of the next try."""
    GIVE_BACK = auto()
    """Give back the ports."""


S, E, A = State, Event, Action

_IGNORED = A.NOTHING

TABLE: dict[State, dict[Event, tuple[State, Action]]] = {
    S.PENDING: {
        E.START: (S.PENDING, A.NOTHING),
        E.UNBLOCKED: (S.STARTING, A.SPAWN),
        E.READY: (S.PENDING, _IGNORED),
        E.READY_TIMED_OUT: (S.PENDING, _IGNORED),
        E.CHILD_EXITED: (S.PENDING, _IGNORED),
        E.DELAY_OVER: (S.PENDING, _IGNORED),
        E.STOP: (S.STOPPED, A.GIVE_BACK),
        E.KILL: (S.STOPPED, A.GIVE_BACK),
        E.STOP_TIMED_OUT: (S.PENDING, _IGNORED),
        E.SHIELD_LOST: (S.FATAL, A.GIVE_BACK),
        E.ENDED_STOPPED: (S.PENDING, _IGNORED),
        E.ENDED_AGAIN: (S.PENDING, _IGNORED),
        E.ENDED_RETRY: (S.PENDING, _IGNORED),
        E.ENDED_DONE: (S.PENDING, _IGNORED),
        E.ENDED_FATAL: (S.PENDING, _IGNORED),
    },
    S.STARTING: {
        E.START: (S.STARTING, A.NOTHING),
        E.UNBLOCKED: (S.STARTING, _IGNORED),
        E.READY: (S.RUNNING, A.ANNOUNCE),
        E.READY_TIMED_OUT: (S.STOPPING, A.ASK),
        E.CHILD_EXITED: (S.STOPPING, A.SWEEP),
        E.DELAY_OVER: (S.STARTING, _IGNORED),
        E.STOP: (S.STOPPING, A.ASK),
        E.KILL: (S.STOPPING, A.KILL_TREE),
        E.STOP_TIMED_OUT: (S.STARTING, _IGNORED),
        E.SHIELD_LOST: (S.STOPPING, A.ASK),
        # No child came to be: the port was occupied, or the command couldn't be run.
        E.ENDED_STOPPED: (S.STOPPED, A.GIVE_BACK),
        E.ENDED_AGAIN: (S.PENDING, A.NOTHING),
        E.ENDED_RETRY: (S.BACKOFF, A.WAIT),
        E.ENDED_DONE: (S.EXITED, A.GIVE_BACK),
        E.ENDED_FATAL: (S.FATAL, A.GIVE_BACK),
    },
    S.RUNNING: {
        E.START: (S.RUNNING, A.NOTHING),
        E.UNBLOCKED: (S.RUNNING, _IGNORED),
        E.READY: (S.RUNNING, _IGNORED),
        E.READY_TIMED_OUT: (S.RUNNING, _IGNORED),
        E.CHILD_EXITED: (S.STOPPING, A.SWEEP),
        E.DELAY_OVER: (S.RUNNING, _IGNORED),
        E.STOP: (S.STOPPING, A.ASK),
        E.KILL: (S.STOPPING, A.KILL_TREE),
        E.STOP_TIMED_OUT: (S.RUNNING, _IGNORED),
        E.SHIELD_LOST: (S.STOPPING, A.ASK),
        E.ENDED_STOPPED: (S.RUNNING, _IGNORED),
        E.ENDED_AGAIN: (S.RUNNING, _IGNORED),
        E.ENDED_RETRY: (S.RUNNING, _IGNORED),
        E.ENDED_DONE: (S.RUNNING, _IGNORED),
        E.ENDED_FATAL: (S.RUNNING, _IGNORED),
    },
    S.BACKOFF: {
        E.START: (S.PENDING, A.NOTHING),
        E.UNBLOCKED: (S.BACKOFF, _IGNORED),
        E.READY: (S.BACKOFF, _IGNORED),
        E.READY_TIMED_OUT: (S.BACKOFF, _IGNORED),
        E.CHILD_EXITED: (S.BACKOFF, _IGNORED),
        E.DELAY_OVER: (S.PENDING, A.NOTHING),
        E.STOP: (S.STOPPED, A.GIVE_BACK),
        E.KILL: (S.STOPPED, A.GIVE_BACK),
        E.STOP_TIMED_OUT: (S.BACKOFF, _IGNORED),
        E.SHIELD_LOST: (S.FATAL, A.GIVE_BACK),
        E.ENDED_STOPPED: (S.BACKOFF, _IGNORED),
        E.ENDED_AGAIN: (S.BACKOFF, _IGNORED),
        E.ENDED_RETRY: (S.BACKOFF, _IGNORED),
        E.ENDED_DONE: (S.BACKOFF, _IGNORED),
        E.ENDED_FATAL: (S.BACKOFF, _IGNORED),
    },
    S.STOPPING: {
        E.START: (S.STOPPING, A.NOTHING),
        E.UNBLOCKED: (S.STOPPING, _IGNORED),
        E.READY: (S.STOPPING, _IGNORED),
        E.READY_TIMED_OUT: (S.STOPPING, _IGNORED),
        E.CHILD_EXITED: (S.STOPPING, A.NOTHING),
        E.DELAY_OVER: (S.STOPPING, _IGNORED),
        E.STOP: (S.STOPPING, A.NOTHING),
        E.KILL: (S.STOPPING, A.KILL_TREE),
        E.STOP_TIMED_OUT: (S.STOPPING, A.KILL_TREE),
        E.SHIELD_LOST: (S.STOPPING, A.NOTHING),
        E.ENDED_STOPPED: (S.STOPPED, A.GIVE_BACK),
        E.ENDED_AGAIN: (S.PENDING, A.NOTHING),
        E.ENDED_RETRY: (S.BACKOFF, A.WAIT),
        E.ENDED_DONE: (S.EXITED, A.GIVE_BACK),
        E.ENDED_FATAL: (S.FATAL, A.GIVE_BACK),
    },
    **{
        rest: {
            **dict.fromkeys(E, (rest, _IGNORED)),
            E.START: (S.PENDING, A.NOTHING),
            # One that was never started holds its ports until somebody stops it.
            E.STOP: (rest, A.GIVE_BACK),
            E.KILL: (rest, A.GIVE_BACK),
        }
        for rest in (S.STOPPED, S.EXITED, S.FATAL)
    },
}


def step(state: State, event: Event) -> tuple[State, Action]:
    """The next state and what to do."""
    return TABLE[state][event]
