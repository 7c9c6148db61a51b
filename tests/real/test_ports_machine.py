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


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_locks_hold_in_any_order(machine: type[LockMachine]) -> None:
    """A few walks, the same every time."""
    run(machine, 8, 40, derandomize=True)


WALKS = int(os.environ.get("PORTSUP_TEST_WALKS", "200"))
"""Of up to 50 steps each."""


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_locks_hold_in_many_orders(machine: type[LockMachine]) -> None:
    """Other walks every time; a failure prints the one that it found."""
    run(machine, WALKS, 50)
