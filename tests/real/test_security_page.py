"""SECURITY.md's table of files, held against those of a real instance."""

from __future__ import annotations

import re
import stat
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from harness import ROOT, Home, Portsup, write_stack

ROW = re.compile(r"\| `(\$[A-Z_]+[^`]*)` \| (\d{4}) \|")

NOTIFIES = """
import os, signal, socket
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
signal.pause()
"""


def table() -> dict[str, int]:
    """Pattern of a path → mode."""
    return {path: int(mode, 8) for path, mode in ROW.findall((ROOT / "SECURITY.md").read_text())}


def files(home: Home) -> dict[str, int]:
    """Every path below this home's folders, written as on the page, with its mode."""
    folders = {
        "$XDG_RUNTIME_DIR/portsup": home.folder / "run" / "portsup",
        "$XDG_STATE_HOME/portsup": home.folder / "state" / "portsup",
        "$PORTSUP_LOCK_DIR": home.locks,
    }
    return {
        str(name / path.relative_to(folder)): stat.S_IMODE(path.lstat().st_mode)
        for name, folder in ((Path(name), folder) for name, folder in folders.items())
        for path in (folder, *folder.rglob("*"))
    }


def row_of(path: str, rows: dict[str, int]) -> str | None:
    """The most exact of the patterns that fit: each of their names stands for one name."""
    parts = path.split("/")
    fitting = [
        row
        for row in rows
        if len(row.split("/")) == len(parts)
        and all(fnmatchcase(part, pattern) for part, pattern in zip(parts, row.split("/"), strict=True))
    ]
    return min(fitting, key=lambda row: row.count("*"), default=None)


@pytest.mark.usefixtures("umask")
def test_files_have_the_modes_of_the_page(portsup: Portsup, ports_block: int) -> None:
    """Each file is in the table with the mode that it has, and each row of the table has a file."""
    services = {
        "api": {
            "command": [sys.executable, "-m", "supervisor", "serve"],
            "pool": {"offset": 0, "size": 1},
            "ready": {"http": "/api/health"},
        },
        "notifies": {"command": [sys.executable, "-c", NOTIFIES], "ready": {"notify": True}},
    }
    write_stack(portsup.cwd, services, base_port=ports_block)
    assert portsup.run("up", "-i", "1", "--wait").returncode == 0
    rows, found = table(), files(portsup.home)
    told = {path: row_of(path, rows) for path in found}
    assert {path: rows.get(row or "") for path, row in told.items()} == found
    assert set(told.values()) == set(rows)
