"""What a command loads: a start of Python is most of its time, so nothing that it doesn't need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from harness import Home
from stand_in import Instance, Loop, publish, record

from supervisor.cli.main import COMMANDS

HEAVY = {"rich", "asyncio", "psutil", "tomllib", "subprocess", "dotenv", "starlette", "uvicorn"}

REPORT = """
import sys
from supervisor.cli.main import main
code = main(sys.argv[1:])
print("loaded", *sys.modules, file=sys.stderr)
sys.exit(code)
"""


def loaded(home: Home, cwd: Path, *arguments: str) -> set[str]:
    """The modules that one run of the command line has loaded at its end."""
    done = subprocess.run(
        [sys.executable, "-c", REPORT, *arguments],
        cwd=cwd,
        env=home.environ,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    "arguments",
    [
        ("status", "--json"),
        ("status", "--all", "--json"),
        ("status",),
        ("ps", "--json"),
        ("down", "--all"),
        *[(name, "--help") for name in COMMANDS],
    ],
    ids=" ".join,
)
def test_nothing_heavy(arguments: tuple[str, ...], portsup_home: Home, tmp_path: Path) -> None:
    """Neither what draws tables nor what locks, loops or parses."""
    (tmp_path / "services.toml").write_text("broken")
    assert not loaded(portsup_home, tmp_path, *arguments) & HEAVY


@pytest.mark.parametrize(
    "arguments",
    [("status",), ("status", "--json"), ("status", "--all"), ("ps",), ("ps", "--json")],
    ids=" ".join,
)
def test_nothing_heavy_to_show_an_instance(
    arguments: tuple[str, ...], portsup_home: Home, tmp_path: Path
) -> None:
    """What asks a supervisor and draws a table does without them too, and without what finds programs."""
    (tmp_path / "services.toml").touch()
    shown = record(portsup_home.folder, config=str(tmp_path / "services.toml"))
    publish(portsup_home.locks, shown)
    with Loop() as loop:
        loop.serve(Path(shown.socket), Instance(shown).dispatch)
        found = loaded(portsup_home, tmp_path, *arguments)
    assert "supervisor.control.client" in found
    assert not found & (HEAVY | {"shutil", "textwrap"})


@pytest.mark.parametrize("arguments", [("--help",), ("--version",)], ids=" ".join)
def test_the_front_door_imports_no_command(
    arguments: tuple[str, ...], portsup_home: Home, tmp_path: Path
) -> None:
    """The list of commands is known without them."""
    ours = {name for name in loaded(portsup_home, tmp_path, *arguments) if name.startswith("supervisor")}
    assert ours == {
        "supervisor",
        "supervisor.cli",
        "supervisor.cli.garbage",
        "supervisor.cli.main",
        "supervisor.cli.output",
        "supervisor.errors",
    }
