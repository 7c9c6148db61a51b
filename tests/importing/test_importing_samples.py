"""Files in the shape of public projects', and what each becomes.

`expected.toml` beside each is what `portsup init --dry-run` prints there.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from harness import Portsup

SAMPLES = Path(__file__).parent / "samples"
ALL = sorted(path.name for path in SAMPLES.iterdir())


@pytest.mark.parametrize("name", ALL)
def test_sample(name: str, portsup: Portsup, tmp_path: Path) -> None:
    """It becomes what was looked at and found right; what init writes is what --dry-run prints, and loads."""
    folder = Path(shutil.copytree(SAMPLES / name, tmp_path / name))
    expected = (folder / "expected.toml").read_text()
    printed = portsup.run("init", "--dry-run", cwd=folder)
    assert printed.returncode == 0, printed.stderr
    assert printed.stdout == expected
    assert portsup.run("init", cwd=folder).returncode == 0
    assert (folder / "services.toml").read_text() == expected
    assert portsup.run("check", cwd=folder).returncode == 0


def test_there_are_enough() -> None:
    """A sample of every kind of source."""
    assert len(ALL) >= 10
