"""Fault 27: 40 claimers race while 3 holders release.

No false 69 while a port of the pool is free: at some moment of each refused claim all of them were taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from claims import Claimer, claimers, files

HOLDERS, CLAIMERS = 3, 40


@dataclass(frozen=True)
class Hold:
    """A port that somebody had, from the lock to the end of the release, in seconds of the wall clock."""

    port: int
    since: float
    until: float


@dataclass(frozen=True)
class Refusal:
    began: float
    ended: float

    def is_right(self, holds: Iterable[Hold], ports: Sequence[int]) -> bool:
        """Whether there was a moment in between at which each of `ports` was held."""
        met = [hold for hold in holds if hold.since <= self.ended and self.began <= hold.until]
        moments = [self.began, *(hold.since for hold in met if hold.since >= self.began)]
        return any(
            {hold.port for hold in met if hold.since <= moment <= hold.until} == set(ports)
            for moment in moments
        )


class Race:
    """Claimers on one pool, and who of them holds which port since when."""

    def __init__(self, racers: Sequence[Claimer], ports: Sequence[int]) -> None:
        self.racers = racers
        self.ports = ports
        self.holders: dict[Claimer, tuple[int, float]] = {}
        self.holds: list[Hold] = []
        self.refusals: list[Refusal] = []

    def claim(self, racers: Iterable[Claimer]) -> None:
        for racer in racers:
            racer.tell("timed claim")

    def release(self, racers: Iterable[Claimer]) -> None:
        for racer in racers:
            racer.tell("timed release")

    def read_claim(self, racer: Claimer) -> None:
        told = racer.answer()
        if isinstance(told["answer"], list):
            (port,) = told["answer"]
            self.holders[racer] = port, told["since"][str(port)]
            return
        assert told["answer"]["exit_code"] == 69
        assert [line.split("  ")[0] for line in told["answer"]["details"]] == list(map(str, self.ports))
        self.refusals.append(Refusal(told["began"], told["ended"]))

    def read_release(self, racer: Claimer) -> None:
        told = racer.answer()
        port, since = self.holders.pop(racer)
        self.holds.append(Hold(port, since, told["ended"]))

    def round(self, place: int) -> None:
        """All who hold release while the others claim, `place` of them told before the holders are."""
        holders = list(self.holders)
        others = [racer for racer in self.racers if racer not in self.holders]
        self.claim(others[:place])
        self.release(holders)
        self.claim(others[place:])
        for holder in holders:
            self.read_release(holder)
        for other in others:
            self.read_claim(other)
        assert len({port for port, _ in self.holders.values()}) == len(self.holders), self.holders

    def refill(self) -> None:
        """What nobody took in the race can be had at once."""
        spare = [racer for racer in self.racers if racer not in self.holders]
        for racer in spare[: len(self.ports) - len(self.holders)]:
            self.claim([racer])
            self.read_claim(racer)
        assert sorted(port for port, _ in self.holders.values()) == list(self.ports)

    def assert_no_false_refusal(self) -> None:
        holds = self.holds + [Hold(port, since, float("inf")) for port, since in self.holders.values()]
        wrong = [refusal for refusal in self.refusals if not refusal.is_right(holds, self.ports)]
        assert not wrong, (wrong, holds)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("rounds", [6, pytest.param(200, marks=pytest.mark.long)])
def test_nobody_is_refused_in_vain(tmp_path: Path, ports_block: int, rounds: int) -> None:
    """Round after round, with the releases earlier or later among the claims."""
    ports = [ports_block + number for number in range(HOLDERS)]
    with claimers(tmp_path, [{"api": ports}] * (HOLDERS + CLAIMERS)) as racers:
        race = Race(racers, ports)
        race.refill()
        taken_over = 0
        for number in range(rounds):
            race.round(place=number * 7 % CLAIMERS)
            taken_over += len(race.holders)
            race.refill()
            race.assert_no_false_refusal()
            race.refusals.clear()
            race.holds.clear()
        assert taken_over > rounds, "claimers did meet those who released"
        race.release(race.holders)
        for holder in list(race.holders):
            race.read_release(holder)
        assert files(tmp_path) == []
