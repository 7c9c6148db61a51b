"""Which instance a worktree gets without having to think of it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import pytest
from harness import Home, Portsup, write_stack

from supervisor import private
from supervisor.cli.number import Claimed, claim_number
from supervisor.config.load import load
from supervisor.errors import InstanceTaken
from supervisor.ports.lock import LockFolder

JOB = {"job": {"command": ["sleep", "300"]}}
MANY = 20


@pytest.fixture
def worktrees(portsup: Portsup, ports_block: int) -> list[Path]:
    """Twenty of one project, each with the same services.toml."""
    folders = [portsup.cwd / f"worktree-{number}" for number in range(MANY)]
    for folder in folders:
        folder.mkdir()
        write_stack(folder, JOB, base_port=ports_block, stride=10)
    return folders


def at_once(
    portsup: Portsup, folders: Sequence[Path], *arguments: str
) -> list[subprocess.CompletedProcess[str]]:
    with ThreadPoolExecutor(len(folders)) as pool:
        return list(pool.map(lambda folder: portsup.run(*arguments, cwd=folder, seconds=60), folders))


def numbers(portsup: Portsup, folders: Sequence[Path]) -> list[int]:
    """The one instance of each, as `env` finds it without being told which."""
    found = []
    for folder in folders:
        done = portsup.run("env", "--json", cwd=folder)
        assert done.returncode == 0, done.stderr
        found.append(int(json.loads(done.stdout)["PORTSUP_INSTANCE"]))
    return found


@pytest.mark.slow
def test_twenty_worktrees_at_once(portsup: Portsup, portsup_home: Home, worktrees: list[Path]) -> None:
    """Twenty numbers from 1, none twice; each finds its own again; and nothing is written into them."""
    before = {path for folder in worktrees for path in folder.rglob("*")}
    assert {done.returncode for done in at_once(portsup, worktrees, "up", "-d")} == {0}
    first = numbers(portsup, worktrees)
    assert sorted(first) == list(range(1, MANY + 1))
    assert {done.returncode for done in at_once(portsup, worktrees, "down")} == {0}
    assert portsup_home.lock_files() == []
    assert {done.returncode for done in at_once(portsup, worktrees[::-1], "up", "-d")} == {0}
    assert numbers(portsup, worktrees) == first
    assert {path for folder in worktrees for path in folder.rglob("*")} == before
    assert {done.returncode for done in at_once(portsup, worktrees, "down")} == {0}


@pytest.mark.slow
def test_one_worktree_twenty_times_at_once(portsup: Portsup, worktrees: list[Path]) -> None:
    """One comes up, and all others say that it is, or is about to be."""
    done = at_once(portsup, worktrees[:1] * MANY, "up", "-d")
    assert sorted(one.returncode for one in done) == [0] + [75] * (MANY - 1)
    assert all("of this worktree is already up" in one.stderr for one in done if one.returncode)
    assert portsup.run("down", cwd=worktrees[0]).returncode == 0


def test_a_number_that_another_has_meanwhile(portsup: Portsup, worktrees: list[Path]) -> None:
    """The lowest free one instead, which is the worktree's own from then on."""
    mine, other = worktrees[:2]
    assert portsup.run("up", "-d", "-i", "2", cwd=mine).returncode == 0
    assert portsup.run("down", cwd=mine).returncode == 0
    assert portsup.run("up", "-d", "-i", "2", cwd=other).returncode == 0
    assert portsup.run("up", "-d", cwd=mine).returncode == 0
    assert numbers(portsup, [mine, other]) == [1, 2]


def test_auto_is_the_lowest_free_one(portsup: Portsup, worktrees: list[Path]) -> None:
    """By option and by variable; where a worktree has several, other commands ask which."""
    folder = worktrees[0]
    assert portsup.run("up", "-d", "-i", "2", cwd=folder).returncode == 0
    assert portsup.run("up", "-d", "-i", "auto", cwd=folder).returncode == 0
    assert portsup.run("up", "-d", cwd=folder, PORTSUP_INSTANCE="auto").returncode == 0
    asked = portsup.run("env", cwd=folder)
    assert asked.returncode == 2
    assert "3 instances of" in asked.stderr
    assert json.loads(portsup.run("env", "--json", cwd=folder, PORTSUP_INSTANCE="3").stdout)
    assert portsup.run("down", "--all", cwd=folder).returncode == 0


def test_one_worktree_twice_at_the_same_moment(portsup_home: Home, tmp_path: Path, ports_block: int) -> None:
    """Both have seen that it has no instance; one gets a number and the other none, never both one."""
    write_stack(tmp_path, JOB, base_port=ports_block, stride=10)
    config = load(tmp_path.resolve() / "services.toml")
    private.make_state_folder()
    folder = LockFolder.open(portsup_home.locks)
    start = Barrier(2)

    def claim(_: int) -> Claimed | InstanceTaken:
        start.wait(10)
        try:
            return claim_number(config, None, folder)
        except InstanceTaken as taken:
            return taken

    with ThreadPoolExecutor(2) as pool, closing(folder):
        for _ in range(50):
            both = list(pool.map(claim, range(2)))
            claimed = [one for one in both if isinstance(one, Claimed)]
            assert [one.plan.instance for one in claimed] == [1]
            assert any("of this worktree is already up" in str(one) for one in both)
            claimed[0].claim.lock.give_back()
