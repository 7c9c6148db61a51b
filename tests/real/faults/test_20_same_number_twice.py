"""Fault 20: two `up --instance 1` at once from two worktrees.

One wins; the other exits 75 and names the winner's worktree.
"""

from __future__ import annotations

import pytest
from harness import Portsup, write_stack

ROUNDS = 3


def test_one_wins(portsup: Portsup, ports_block: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The loser names the winner's worktree and pid, starts nothing and leaves the winner alone."""
    worktrees = [portsup.cwd, tmp_path_factory.mktemp("other")]
    for place, folder in enumerate(worktrees):
        write_stack(folder, {"web": {"pool": {"offset": place, "size": 1}}}, base_port=ports_block)
    for _ in range(ROUNDS):
        racers = [portsup.start("up", "--instance", "1", "-d", cwd=folder) for folder in worktrees]
        codes = [racer.wait(30) for racer in racers]
        assert sorted(codes) == [0, 75]
        won, lost = codes.index(0), codes.index(75)
        (winner,) = portsup.ask("status", "--all")["instances"]
        assert winner["config"] == str(worktrees[won] / "services.toml")
        assert racers[lost].stderr.startswith("portsup: instance 1 is taken\n")
        named = f"test instance 1 in {worktrees[won]}, pid {winner['supervisor']['pid']}, for "
        assert named in racers[lost].stderr
        assert "hint: " in racers[lost].stderr
        assert f"port-{ports_block + lost}.lock.json" not in portsup.home.lock_files()
        assert portsup.run("down", cwd=worktrees[won]).returncode == 0
        assert portsup.home.lock_files() == []
