"""Twenty supervisors at once want one of three ports."""

from __future__ import annotations

import sys

import pytest
from harness import Portsup, write_stack

SUPERVISORS, PORTS, ROUNDS = 20, 3, 20
IDLE = [sys.executable, "-I", "-S", "-c", "import signal; signal.pause()"]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_exactly_three_win(portsup: Portsup, ports_block: int) -> None:
    """In each of 20 rounds three get a port each, and 17 are refused with every holder named."""
    pool = [ports_block + 900 + i for i in range(PORTS)]
    write_stack(
        portsup.cwd, {"web": {"command": IDLE, "pool": {"ports": pool}}}, base_port=ports_block, stride=10
    )
    for _ in range(ROUNDS):
        racers = [portsup.start("up", "-d", "-i", str(number)) for number in range(1, SUPERVISORS + 1)]
        codes = [racer.wait(60) for racer in racers]
        assert sorted(codes) == [0] * PORTS + [69] * (SUPERVISORS - PORTS)
        for racer, code in zip(racers, codes, strict=True):
            if code:
                assert all(f"  {port}  test instance " in racer.stderr for port in pool)
        instances = portsup.ask("status")["instances"]
        assert sorted(instance["services"][0]["port"] for instance in instances) == pool
        assert portsup.run("down", "--all").returncode == 0
        assert portsup.home.lock_files() == []
