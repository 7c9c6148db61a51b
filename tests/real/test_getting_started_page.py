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
    """Its services.toml loads, its commands do what it says, and print the lines that it shows."""
    (stack,) = _blocks("toml", ports_block)
    (tmp_path / "services.toml").write_text(stack)
    portsup = tmp_path / "bin" / "portsup"
    portsup.parent.mkdir()
    portsup.write_text(f'#!/bin/sh\nexec {shlex.join(COMMAND)} "$@"\n')
    portsup.chmod(0o755)
    done = subprocess.run(
        ["sh", "-eu", "-c", "".join(_blocks("sh", ports_block))],
        cwd=tmp_path,
        env={**portsup_home.environ, "PATH": f"{portsup.parent}:{portsup_home.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert _lasting("".join(_blocks("text", ports_block))) - _lasting(done.stdout + done.stderr) == set()
    assert_nothing_left(portsup_home, [ports_block + offset for offset in (0, 10, 100, 110, 200, 210)])


def _blocks(language: str, base: int) -> list[str]:
    """Those of the page, with ports from `base` where it has them from 7000."""
    page = re.sub(r"\b7([012][01]\d)\b", lambda port: str(base + int(port[1])), PAGE)
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def _lasting(output: str) -> set[str]:
    """Its lines, without what is of one machine and one moment: folders, pids, the path of Python,
    times, and the spaces that make up for these."""
    for gone in (
        r"(?:~|/)\S*/(?:hello|test_the_page\d)(?:/services\.toml)?",
        r"\(\S*python.*?\)",
        r"\d\d:\d\d:\d\d",
        r"for \d+ s\b|\b[\d.]+s\b",
        r"pid \d+|\b\d+ +(?=up |2/2)",
        r" +",
    ):
        output = re.sub(gone, " ", output)
    return {line.strip() for line in output.splitlines()}
