"""Fault 22: 500 fuzzed services.toml files.

A clean error or a valid plan, never a traceback.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import ROOT, Home, Portsup
from spoiled_files import GOOD, spoiled

FILES = 500
THROUGH_A_SHELL = range(0, FILES, 50)
"""These get a process of their own."""

CONTROL = {chr(code) for code in (*range(32), *range(127, 160))} - {"\n"}


class FrontDoor:
    """The console script in forked copies of one warm process (see front_door.py)."""

    def __init__(self, home: Home) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "tests" / "real" / "front_door.py")],
            env={**home.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def check(self, file: Path) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        print(json.dumps(["check", "--json", "--file", str(file)]), file=self.process.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def front_door(portsup_home: Home) -> Iterator[FrontDoor]:
    door = FrontDoor(portsup_home)
    yield door
    door.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_clean_error_or_a_valid_plan(front_door: FrontDoor, tmp_path: Path) -> None:
    """What `check` says of each file; the good ones among them show that the rest isn't refused blindly."""
    file = tmp_path / "services.toml"
    codes = []
    for seed in range(FILES):
        file.write_bytes(spoiled(seed))
        done = front_door.check(file)
        assert_clean(done["code"], done["stdout"], done["stderr"], file, seed)
        codes.append(done["code"])
    assert codes.count(0) > 80
    assert codes.count(78) > 200


def test_the_good_files_are_good(front_door: FrontDoor, tmp_path: Path) -> None:
    """Before anything is spoiled."""
    file = tmp_path / "services.toml"
    for data in GOOD:
        file.write_bytes(data)
        assert front_door.check(file)["code"] == 0


def test_the_same_through_a_process_of_its_own(
    front_door: FrontDoor, portsup: Portsup, tmp_path: Path
) -> None:
    """A start by a shell says the same."""
    file = tmp_path / "services.toml"
    for seed in THROUGH_A_SHELL:
        file.write_bytes(spoiled(seed))
        warm, cold = front_door.check(file), portsup.run("check", "--json")
        assert (cold.returncode, cold.stdout, cold.stderr) == (warm["code"], warm["stdout"], warm["stderr"])


def assert_clean(code: int, stdout: str, stderr: str, file: Path, seed: int) -> None:
    where = f"seed {seed}: exit {code}\n{stderr[:2000]}"
    assert code in (0, 78), where
    assert "Traceback" not in stderr and "internal error" not in stderr, where
    assert not CONTROL & set(stderr), where
    if code == 0:
        assert_valid(json.loads(stdout), tomllib.loads(file.read_bytes().decode("utf-8-sig")), where)
        return
    assert stdout == "", where
    first, *more = stderr.splitlines()
    assert first.startswith("portsup: ") and str(file) in stderr, where
    assert any(line.startswith(("  ", "hint: ")) for line in more), where


def assert_valid(plan: dict[str, Any], document: dict[str, Any], where: str) -> None:
    """Every service of the file with exactly the ports that it asks for, none of them twice."""
    stack, defaults = document.get("stack", {}), document.get("defaults", {})
    base = stack.get("base_port", 6000)
    assert {service["name"] for service in plan["services"]} == document["services"].keys(), where
    relative: list[int] = []
    for service in plan["services"]:
        table = {**defaults, **document["services"][service["name"]]}
        asked = {**table.get("pools", {}), **({"port": table["pool"]} if "pool" in table else {})}
        assert service["pools"].keys() == asked.keys(), where
        for name, pool in service["pools"].items():
            assert pool["ports"] == ports_of(asked[name], base), where
            relative += [] if pool["shared"] else pool["ports"]
    assert len(relative) == len(set(relative)), where
    assert all(base <= port < base + stack.get("stride", 100) for port in relative), where


def ports_of(pool: dict[str, Any], base: int) -> list[int]:
    if "ports" in pool:
        return list(pool["ports"])
    return list(range(base + pool["offset"], base + pool["offset"] + pool["size"]))
