"""scripts/portsup in a fresh clone: it makes its virtual environment once, and whole."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from harness import ROOT, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SETTING_UP = "portsup: setting up .venv (once)…\n"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What git would check out, as far as portsup needs it."""
    folder = tmp_path / "clone"
    folder.mkdir()
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, folder)
    for part in ("scripts", "supervisor"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def start(clone: Path) -> subprocess.Popen[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PORTSUP_")}
    return subprocess.Popen(
        ["scripts/portsup", "--version"],
        cwd=clone,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    """What it said on stderr, once it has printed portsup's version and succeeded."""
    printed, said = process.communicate(timeout=240)
    assert (process.returncode, printed.split()[:1]) == (0, ["portsup,"]), said
    return said


def cpu_seconds(*command: str | Path) -> float:
    """What a run takes without what the machine does beside it; the best of ten."""

    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return min(once() for _ in range(10))


def test_three_first_starts_side_by_side(clone: Path) -> None:
    """Started side by side, all three succeed; later starts are silent and cost next to nothing;
    a moved clone is set up anew."""
    first_starts = [start(clone) for _ in range(3)]
    assert [finish(process) for process in first_starts] == [SETTING_UP] * 3
    assert finish(start(clone)) == ""
    itself = cpu_seconds(clone / ".venv/bin/portsup", "--version")
    assert cpu_seconds(clone / "scripts/portsup", "--version") < itself + 0.05
    moved = clone.rename(clone.with_name("moved"))
    assert finish(start(moved)) == SETTING_UP
    assert str(moved) in (moved / ".venv/bin/portsup").read_text()


def test_an_interrupted_set_up_is_not_taken_for_complete(clone: Path) -> None:
    """Killed in the middle, the set-up leaves something that the next start makes whole."""
    killed = start(clone)
    wait_until((clone / ".venv/bin/python").exists, 60, "the beginnings of an environment")
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate(timeout=10)
    assert not (clone / ".venv/.installed").exists()
    assert finish(start(clone)) == SETTING_UP
