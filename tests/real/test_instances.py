"""Three instances of one stack side by side, and a fourth that finds no port."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from harness import Home, Portsup, foreigner, health, is_bindable, write_stack

from supervisor import records

RELATIVE = {"mcp": (0, 3), "ollama": (10, 3), "groq": (20, 3), "sandra": (30, 4)}


@pytest.fixture
def stack(portsup: Portsup, ports_block: int) -> int:
    """The reference set-up in small: four relative pools and a shared one. Returns its base port."""
    pools: dict[str, dict[str, object]] = {
        name: {"offset": offset, "size": size} for name, (offset, size) in RELATIVE.items()
    }
    pools["api"] = {"ports": [ports_block + 900 + i for i in range(3)]}
    write_stack(portsup.cwd, {name: {"pool": pool} for name, pool in pools.items()}, base_port=ports_block)
    return ports_block


def test_three_instances_side_by_side(portsup: Portsup, stack: int) -> None:
    """Each service of each instance on its own port, answering for itself; no port twice."""
    for number in (1, 2, 3):
        assert portsup.run("up", "-i", str(number), "--wait").returncode == 0
    ports = {}
    for instance in portsup.ask("status")["instances"]:
        number, base = instance["instance"], stack + (instance["instance"] - 1) * 100
        assert (instance["base_port"], instance["state"]) == (base, "running")
        for service in instance["services"]:
            expected = (
                base + RELATIVE[service["name"]][0] if service["name"] != "api" else stack + 899 + number
            )
            assert service["port"] == expected
            answer = health(service["port"])
            assert answer is not None
            assert (answer["service"], answer["instance"]) == (service["name"], number)
            assert answer["pid"] == service["pid"]
            ports[service["port"]] = service["pid"]
    assert len(ports) == len(set(ports.values())) == 15


def test_a_fourth_finds_no_port(portsup: Portsup, portsup_home: Home, stack: int) -> None:
    """Exit 69 within 2 s, every holder named, nothing started and nothing left locked."""
    for number in (1, 2, 3):
        assert portsup.run("up", "-i", str(number), "-d").returncode == 0
    before = portsup_home.lock_files()
    children = len(portsup_home.children())
    began = time.monotonic()
    refused = portsup.run("up", "-i", "4")
    assert time.monotonic() - began < 2
    assert refused.returncode == 69
    assert f"no free port for api in {stack + 900}-{stack + 902}" in refused.stderr
    for number in (1, 2, 3):
        (line,) = [
            text for text in refused.stderr.splitlines() if text.startswith(f"  {stack + 899 + number}")
        ]
        assert f"instance {number} (api)" in line
        assert str(portsup.cwd) in line
        assert f"pid {portsup.instance(number)['supervisor']['pid']}" in line
        assert line.endswith(" s")
    assert portsup_home.lock_files() == before
    assert len(portsup_home.children()) == children
    assert all(is_bindable(stack + 300 + offset) for offset, _ in RELATIVE.values())


def test_a_pool_full_of_foreigners(portsup: Portsup, portsup_home: Home, stack: int) -> None:
    """Exit 69 naming them; they live on and nothing of ours is left."""
    with foreigner(stack) as one, foreigner(stack + 1, "::1") as two, foreigner(stack + 2) as three:
        refused = portsup.run("up", "-i", "1")
        assert refused.returncode == 69
        for other in (one, two, three):
            assert f"pid {other.pid}" in refused.stderr
            assert other.poll() is None
    assert portsup_home.lock_files() == []
    assert portsup_home.children() == []


def test_a_taken_number(portsup: Portsup, stack: int, tmp_path: Path) -> None:
    """Exit 75 with the holder's stack, worktree and pid, from another worktree too."""
    assert portsup.run("up", "-i", "1", "-d").returncode == 0
    pid = portsup.instance(1)["supervisor"]["pid"]
    other = tmp_path / "other"
    other.mkdir()
    write_stack(other, {"web": {"pool": {"offset": 50, "size": 1}}}, base_port=stack)
    for folder in (portsup.cwd, other):
        refused = portsup.run("up", "-i", "1", cwd=folder)
        assert refused.returncode == 75
        assert str(portsup.cwd) in refused.stderr
        assert f"pid {pid}" in refused.stderr
        assert "hint:" in refused.stderr


def test_without_a_number(portsup: Portsup, stack: int) -> None:
    """The lowest free one; a second `up` says that it is up already; `auto` takes one more."""
    assert portsup.run("up", "-d").returncode == 0
    again = portsup.run("up", "-d")
    assert again.returncode == 75
    assert "instance 1 of this worktree is already up" in again.stderr
    assert portsup.run("up", "-i", "auto", "-d").returncode == 0
    assert [instance["instance"] for instance in portsup.ask("status")["instances"]] == [1, 2]


def test_the_last_number_is_remembered(portsup: Portsup, stack: int) -> None:
    """`up` without -i takes this worktree's last number while it is free."""
    assert portsup.run("up", "-i", "3", "-d").returncode == 0
    assert portsup.run("down").returncode == 0
    assert portsup.run("up", "-d").returncode == 0
    assert [instance["instance"] for instance in portsup.ask("status")["instances"]] == [3]


def test_the_records(portsup: Portsup, portsup_home: Home, stack: int) -> None:
    """A port's record names its unit, its supervisor and its child."""
    assert portsup.run("up", "-i", "1", "--wait").returncode == 0
    instance = portsup.instance(1)
    for service in instance["services"]:
        record = records.read(records.port_file(portsup_home.locks, service["port"]))
        assert isinstance(record, records.PortRecord)
        assert (record.service, record.instance_id) == (service["name"], instance["instance_id"])
        assert record.supervisor.pid == instance["supervisor"]["pid"]
        assert record.child is not None
        assert record.child.pid == service["pid"]
