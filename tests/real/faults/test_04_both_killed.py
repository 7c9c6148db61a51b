"""Fault 4: SIGKILL to both at once, with children that keep, or close, their inherited descriptors.

No portsup hands out a survivor's port; `up` on it says who lives there and names `prune`; `prune` ends them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil
import pytest
from harness import (
    Background,
    Escapee,
    Home,
    Portsup,
    assert_nothing_left,
    kill_both,
    wait_until,
    write_stack,
)

KEPT = ("--session",)
CLOSED = ("--session", "--close", "--leader-closes")
MARKER_ALONE = ("--session", "--close", "--leader-exits", "--listen", "${port}")
LOCK_ALONE = ("--session", "--empty-env", "--leader-exits", "--listen", "${port}")
LISTENER_ALONE = ("--session", "--empty-env", "--close", "--leader-exits", "--listen", "${port}")


def bring_up(portsup: Portsup, escapee: Escapee, base: int, port: int, flags: tuple[str, ...]) -> list[int]:
    """An instance whose guard and supervisor are dead; the pids of the service that survived them."""
    service = escapee.service(*flags, pool={"ports": [port]})
    write_stack(portsup.cwd, {"web": service}, base_port=base)
    running = portsup.up("-i", "1")
    supervisor = portsup.wait_for_services(1)["supervisor"]["pid"]
    if "--leader-exits" in flags:
        wait_until(lambda: "the rest goes on" in running.stderr, 10)
    kill_both(running.process.pid, supervisor)
    survivors = sorted(process.pid for process in escapee.alive())
    assert survivors
    return survivors


@pytest.fixture
def other(tmp_path_factory: pytest.TempPathFactory, ports_block: int) -> Path:
    """Another worktree of the project, whose service may have the same port and no other."""
    folder = tmp_path_factory.mktemp("other")
    write_stack(folder, {"web": {"pool": {"ports": [ports_block + 900]}}}, base_port=ports_block)
    return folder


def assert_refused(portsup: Portsup, other: Path, survivors: list[int]) -> None:
    """To everyone who could get the port, or the instance's number."""
    worktrees = {portsup.cwd: "8", other: "9"}
    by_number = [
        (portsup.start("up", "-d", "-i", number, cwd=folder), code)
        for folder, high in worktrees.items()
        for number, code in (("1", 75), (high, 69))
    ]
    for refused, code in by_number:
        assert_told(refused, code, survivors)
    # Not beside those: of two in one worktree, the one without a number finds the other one up.
    for refused in [portsup.start("up", "-d", cwd=folder) for folder in worktrees]:
        assert_told(refused, 69, survivors)


def assert_told(refused: Background, code: int, survivors: list[int]) -> None:
    assert refused.wait(30) == code, refused.stderr
    assert_named(refused.stderr, survivors)


def assert_named(text: str, survivors: list[int]) -> None:
    assert "portsup prune" in text
    for pid in survivors:
        assert str(pid) in text


@pytest.mark.parametrize("flags", [KEPT, CLOSED, MARKER_ALONE, LOCK_ALONE])
def test_survivors_keep_their_port(
    portsup: Portsup,
    portsup_home: Home,
    ports_block: int,
    escapee: Escapee,
    other: Path,
    flags: tuple[str, ...],
) -> None:
    """Nobody gets port or number while they live; they are named, with prune, which ends them."""
    port = ports_block + 900
    survivors = bring_up(portsup, escapee, ports_block, port, flags)
    locks = portsup_home.lock_files()
    assert_refused(portsup, other, survivors)
    assert_named(portsup.run("why", str(port)).stdout, survivors)
    assert portsup.ask("why", str(port))["holding"] == "leftover"

    told: list[dict[str, Any]] = portsup.ask("prune", "--dry-run")["leftovers"]
    assert sorted(one["owner"]["pid"] for one in told if one["kind"] == "process") == survivors
    assert not any(one["gone"] for one in told)
    assert sorted(process.pid for process in escapee.alive()) == survivors
    assert portsup_home.lock_files() == locks

    pruned = portsup.run("prune")
    assert pruned.returncode == 0
    assert all(f"ended: pid {pid} " in pruned.stdout for pid in survivors)
    assert escapee.alive() == []
    assert_nothing_left(portsup_home, [port])
    assert portsup.run("up", "-i", "1", "--wait", cwd=other).returncode == 0
    assert portsup.run("down", cwd=other).returncode == 0


def test_who_shed_everything_but_its_socket(
    portsup: Portsup, portsup_home: Home, ports_block: int, escapee: Escapee, other: Path
) -> None:
    """It can't be proven to be ours, so nobody ends it; and nobody gets its port as long as it listens."""
    port = ports_block + 900
    (survivor,) = bring_up(portsup, escapee, ports_block, port, LISTENER_ALONE)
    for refused in (portsup.run("up", "-d", cwd=other), portsup.run("up", "-d")):
        assert refused.returncode == 69
        assert f"not portsup's: pid {survivor} " in refused.stderr
    assert portsup.run("prune").returncode == 0
    assert psutil.Process(survivor).is_running()
    assert f"pid {survivor} " in portsup.run("why", str(port)).stdout
    assert portsup.run("up", "-d").returncode == 69
