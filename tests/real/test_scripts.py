"""The shell of scripts/: wherever it is called from, and what it says when a set-up fails.

The environment is a stand-in here; test_first_start.py makes real ones.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from harness import ROOT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Scripts, and an environment whose portsup prints its arguments and whose Python always fails."""
    folder = tmp_path / "checkout"
    shutil.copytree(ROOT / "scripts", folder / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    write_program(folder / ".venv" / "bin" / "portsup", 'echo "portsup got $*"')
    write_program(folder / ".venv" / "bin" / "python", "echo 'no such host'; exit 1")
    stamp = folder / ".venv" / ".installed"
    stamp.write_text(f"{folder / '.venv'}\n")
    os.utime(folder / "pyproject.toml", (1, 1))
    return folder


def write_program(file: Path, body: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)


def run(cwd: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PORTSUP_")}
    return subprocess.run(
        command, cwd=cwd, env={**environ, **variables}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("cwd", "command"),
    [
        (".", ["scripts/portsup"]),
        ("scripts", ["./portsup"]),
        ("scripts", ["sh", "portsup"]),
        ("..", ["checkout/scripts/portsup"]),
        ("..", ["./linked"]),
    ],
)
def test_portsup_finds_its_checkout(checkout: Path, cwd: str, command: list[str]) -> None:
    """By a path, by its name alone, and by a link."""
    (checkout.parent / "linked").symlink_to(checkout / "scripts" / "portsup")
    done = run(checkout / cwd, *command, "status")
    assert (done.stdout, done.stderr) == ("portsup got status\n", "")


def test_a_set_up_without_the_index_says_what_it_needs(checkout: Path) -> None:
    """Before what pip has to say."""
    os.utime(checkout / "pyproject.toml")  # newer than the environment
    done = run(checkout, "scripts/portsup", "status")
    assert done.returncode == 1
    assert done.stderr.splitlines()[1:] == [
        "portsup: cannot set up .venv: this needs the package index once. pip says:",
        "no such host",
    ]


def test_apt_get_is_announced(checkout: Path, tmp_path: Path) -> None:
    """Root's set-up says that it installs a package, and which, before it does."""
    tools = tmp_path / "tools"
    write_program(tools / "id", "echo 0")
    write_program(tools / "apt-get", "echo apt-get $1; exit 1")
    write_program(tools / "python3.12", "case $2 in 'import venv'*) exit 1 ;; esac")
    done = run(
        checkout,
        "scripts/portsup",
        PORTSUP_PYTHON="python3.12",
        PATH=f"{tools}:{os.environ['PATH']}",
    )
    assert done.returncode == 1
    said = done.stderr.splitlines()
    announced = "portsup: installing python3.12-venv with apt-get: python3.12 cannot make environments alone"
    assert said.index(announced) < said.index("apt-get update")
