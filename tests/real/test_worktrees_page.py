"""docs/worktrees.md, as it stands there."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

from harness import COMMAND, ROOT, Home, assert_nothing_left, write_stack

SCRIPT, _about_data = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "worktrees.md").read_text(), re.DOTALL)
GIT = ("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org")


def test_the_page(portsup_home: Home, tmp_path: Path, ports_block: int) -> None:
    """In a worktree beside one that has instance 1: the new one gets 2, and the command of `run` 3."""
    main = tmp_path / "main"
    main.mkdir()
    write_stack(main, {"web": {"pool": {"offset": 0, "size": 1}}}, base_port=ports_block)
    portsup = tmp_path / "bin" / "portsup"
    portsup.parent.mkdir()
    portsup.write_text(f'#!/bin/sh\nexec {shlex.join(COMMAND)} "$@"\n')
    portsup.chmod(0o755)
    environ = {**portsup_home.environ, "PATH": f"{portsup.parent}:{portsup_home.environ['PATH']}"}

    def run(*command: str) -> str:
        return subprocess.run(
            command, cwd=main, env=environ, stdout=subprocess.PIPE, text=True, timeout=60, check=True
        ).stdout

    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        run(*GIT, *arguments)
    run("portsup", "up", "-d")
    said = run("sh", "-eu", "-c", SCRIPT)
    assert [line for line in said.splitlines() if line.startswith("http")] == [
        f"http://127.0.0.1:{ports_block + offset}" for offset in (100, 200)
    ]
    run("portsup", "down")
    assert_nothing_left(portsup_home, [ports_block + offset for offset in (0, 100, 200)])
