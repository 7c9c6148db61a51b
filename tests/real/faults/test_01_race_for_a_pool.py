"""Fault 1: 20 supervisors start at once and want the same shared pool of 3.

Exactly 3 get a port, 17 exit 69 with the holders named, no port twice, 50 times in a row.
"""

from __future__ import annotations

from typing import Any

import pytest
from harness import WAITS, Background, Portsup, write_stack

SUPERVISORS, PORTS = 20, 3


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("rounds", [2, pytest.param(50, marks=pytest.mark.long)])
def test_exactly_three_win(portsup: Portsup, ports_block: int, rounds: int) -> None:
    """In each round three get a port each, and 17 are refused with every holder named."""
    pool = [ports_block + 900 + i for i in range(PORTS)]
    service = {"command": WAITS, "pool": {"ports": pool}}
    write_stack(portsup.cwd, {"web": service}, base_port=ports_block, stride=10)
    for _ in range(rounds):
        race(portsup, pool)
        assert portsup.run("down", "--all").returncode == 0
        assert portsup.home.lock_files() == []


def race(portsup: Portsup, pool: list[int]) -> None:
    racers = [portsup.start("up", "-d", "-i", str(number)) for number in range(1, SUPERVISORS + 1)]
    codes = [racer.wait(60) for racer in racers]
    assert sorted(codes) == [0] * PORTS + [69] * (SUPERVISORS - PORTS)
    winners = portsup.ask("status")["instances"]
    assert sorted(instance["services"][0]["port"] for instance in winners) == pool
    for racer in (racer for racer, code in zip(racers, codes, strict=True) if code):
        assert_names(racer, portsup, winners)


def assert_names(loser: Background, portsup: Portsup, winners: list[dict[str, Any]]) -> None:
    refused, *lines = loser.stderr.splitlines()
    assert refused.startswith("portsup: no free port for web in ")
    for winner in winners:
        (service,) = winner["services"]
        who = f"test instance {winner['instance']} (web) in {portsup.cwd}, pid {winner['supervisor']['pid']}"
        assert any(line.startswith(f"  {service['port']}  {who}, for ") for line in lines), loser.stderr
