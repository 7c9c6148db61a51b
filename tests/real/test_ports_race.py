"""Racing claimers, each a real process: as many win as there are ports, and nobody is refused in vain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from claims import Claimer, claimers, files
from harness import foreigner

ROUNDS = 20
RACERS = 20


def race(racers: Sequence[Claimer]) -> list[Any]:
    """All claim at once."""
    for racer in racers:
        racer.tell("claim")
    return [racer.answer() for racer in racers]


def release(racers: Sequence[Claimer]) -> None:
    for racer in racers:
        racer.tell("release")
    assert {racer.answer() for racer in racers} == {"released"}


def won(answers: Sequence[Any]) -> list[list[int]]:
    return [answer for answer in answers if isinstance(answer, list)]


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("private", [False, True], ids=["shared", "private-then-shared"])
def test_twenty_race_for_three_ports(tmp_path: Path, ports_block: int, private: bool) -> None:
    """Exactly three win, round after round; each loser names the three, and leaves nothing."""
    shared = [ports_block, ports_block + 1, ports_block + 2]
    stacks: list[dict[str, list[int]]] = [
        {"own": [ports_block + 10 + number], "api": shared} if private else {"api": shared}
        for number in range(RACERS)
    ]
    with claimers(tmp_path, stacks) as racers:
        for _ in range(ROUNDS):
            answers = race(racers)
            winners = won(answers)
            assert sorted(ports[-1] for ports in winners) == shared, answers
            for answer in answers:
                if isinstance(answer, dict):
                    assert answer["exit_code"] == 69
                    assert answer["message"] == f"no free port for api in {shared[0]}-{shared[-1]}"
                    assert [line.split("  ")[0] for line in answer["details"]] == [str(p) for p in shared]
                    assert all("test instance" in line for line in answer["details"]), answer
            assert len(files(tmp_path)) == sum(len(ports) for ports in winners)
            release(racers)
            assert files(tmp_path) == []


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_claims_that_come_to_nothing_refuse_nobody(tmp_path: Path, ports_block: int) -> None:
    """Three that can win do win, however many others lock the same ports in vain."""
    shared = [ports_block, ports_block + 1, ports_block + 2]
    doomed = {"api": shared, "dead": [ports_block + 5]}
    with foreigner(ports_block + 5), claimers(tmp_path, [{"api": shared}] * 3 + [doomed] * 6) as racers:
        for _ in range(ROUNDS):
            answers = race(racers)
            assert sorted(won(answers)) == [[port] for port in shared], answers
            assert all(isinstance(answer, list) for answer in answers[:3])
            release(racers)
            assert files(tmp_path) == []


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_pools_in_opposite_orders(tmp_path: Path, ports_block: int) -> None:
    """Two that want the same two ports in opposite orders: one wins, they never refuse each other."""
    one, two = [ports_block], [ports_block + 1]
    with claimers(tmp_path, [{"a": one, "b": two}, {"b": two, "a": one}]) as racers:
        for _ in range(ROUNDS * 3):
            answers = race(racers)
            assert len(won(answers)) == 1, answers
            release(racers)
    assert files(tmp_path) == []
