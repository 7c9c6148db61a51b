"""A state machine over real lock files and real processes: in no order of claims, forks, deaths and faults do
two hold one port, and no claim succeeds on a port while anything that was given it lives and can be told.

What is promised after which fault stands in `lock_model.py`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from harness import port_block
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from lock_machine import LockMachine
from lock_stage import nursery


@pytest.fixture(scope="module")
def machine() -> Iterator[type[LockMachine]]:
    """With a nursery and ports of its own; prints at the end what was done (pytest -s)."""
    with port_block() as base, nursery() as started:
        counts = Counter[str]()
        fields = {"nursery": started, "base": base, "counts": counts}
        yield type("Machine", (LockMachine,), fields)
        print(f"\n{dict(sorted(counts.items()))}")


def run(machine: type[LockMachine], examples: int, steps: int, **how: Any) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
            **how,
        ),
    )


Steps = list[tuple[Any, ...]]

SESSION_ONLY: Steps = [
    ("claim", 1, 0, False),
    ("spawn", 0),
    ("shed", 0, {"close", "bare"}),
    ("fork", 0, frozenset()),
    ("end_process", 0, True),
    ("supervisor_looks", 0),  # and reaps
    ("kill_both", 0),
    ("claim", 1, 0, False),
    ("prune",),
    ("attempt", 0),
    ("end_process", 0, True),
    ("prune",),
    ("claim", 1, 0, True),
]
COPIES: Steps = [
    ("claim", 1, 0, False),
    ("spoil", 0, "replace by a copy"),
    ("spoil", 1, "replace by a copy"),
    ("claim", 1, 1, False),
    ("claim", 2, 0, True),
    ("prune",),
    ("shield_looks", 0),
    ("end", 0, "kill supervisor"),
    ("prune",),
]
UNTOLD: Steps = [
    ("claim", 1, 0, False),
    ("spawn", 0),
    ("fork", 0, frozenset({"setsid", "close", "bare"})),
    ("listen", 1),
    ("kill_both", 0),
    ("end_process", 0, False),
    ("prune",),
    ("attempt", 0),
    ("claim", 2, 0, False),
    ("end_process", 0, False),
    ("attempt", 0),
]


@pytest.mark.parametrize(
    "steps", [SESSION_ONLY, COPIES, UNTOLD], ids=["a session only", "copies of records", "a listener only"]
)
def test_locks_hold_in_orders_that_chance_meets_seldom(machine: type[LockMachine], steps: Steps) -> None:
    """The same rules by hand."""
    state = machine()
    try:
        for name, *arguments in steps:
            getattr(state, name)(*arguments)
            state.nobody_else_was_touched()
            state.one_holder()
            state.nothing_told_is_given_out()
    finally:
        state.teardown()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_locks_hold_in_any_order(machine: type[LockMachine]) -> None:
    """A few walks, the same every time."""
    run(machine, 8, 40, derandomize=True)


WALKS = int(os.environ.get("PORTSUP_TEST_WALKS", "100"))
"""Of up to 50 steps each."""


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_locks_hold_in_many_orders(machine: type[LockMachine]) -> None:
    """Other walks every time; a failure prints the one that it found."""
    run(machine, WALKS, 50)
