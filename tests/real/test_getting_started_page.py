"""docs/getting-started.md, as it stands there."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from harness import COMMAND, ROOT, Home, assert_nothing_left

PAGE = (ROOT / "docs" / "getting-started.md").read_text()


@pytest.mark.slow
def test_the_page(portsup_home: Home, tmp_path: Path, ports_block: int) -> None:
    """Its services.toml and all of its commands, one after the other: what it says that they print, they
    print, but for what is of one machine and one moment."""

    def here(text: str) -> str:
        return re.sub(r"\b7([012])([01])([0-9])\b", lambda at: str(ports_block + int("".join(at.groups()))), text)

    (stack,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "services.toml").write_text(here(re.sub(r"\b7000\b(?=  )", str(ports_block), stack)))
    portsup = tmp_path / "bin" / "portsup"
    portsup.parent.mkdir()
    portsup.write_text(f'#!/bin/sh\nexec {shlex.join(COMMAND)} "$@"\n')
    portsup.chmod(0o755)
    done = subprocess.run(
        ["sh", "-eu", "-c", here("".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)))],
        cwd=tmp_path,
        env={**portsup_home.environ, "PATH": f"{portsup.parent}:{portsup_home.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = {_skeleton(line) for line in (done.stdout + done.stderr).splitlines()}
    told = "".join(re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL))
    assert {_skeleton(here(line)) for line in told.splitlines()} <= said
    assert_nothing_left(portsup_home, [ports_block + i + o for i in (0, 100, 200) for o in (0, 10)])


def _skeleton(line: str) -> str:
    """A line without its spaces, folders, pids and ages."""
    line = re.sub(r"/\S+/(?:services\.toml|hello)|/\S*/test_the_page\S*", "FOLDER", line)
    line = re.sub(r"pid \d+|(?<=\d )\s*\d+(?=\s+(?:up|\d+/\d+))", "PID", line)
    line = re.sub(r"for [\d.]+ s\b|[\d.]+s$", "AGE", line.rstrip())
    return re.sub(r"\s+", " ", line).strip()
