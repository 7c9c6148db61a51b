"""Fault 12: lock folder is a symlink, is world-writable and not sticky, is read-only, is on a full disk.

Refused with the reason, nothing started; another user's sticky folder is used with a warning.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from claims import NOBODY, files, needs_root
from harness import WITHOUT_ROOTS_RIGHTS, Home, Portsup, wait_until, write_stack

MARKS = [sys.executable, "-I", "-S", "-c", "import signal; open('started', 'w'); signal.pause()"]

TINY_FILES = ("sh", "-c", 'ulimit -f 0 && exec "$@"', "sh")
"""Before a command: no file may grow, for it as for a full disk."""


@contextlib.contextmanager
def linked(folder: Path) -> Iterator[None]:
    elsewhere = folder.with_name("elsewhere")
    elsewhere.mkdir(mode=0o1777)
    folder.symlink_to(elsewhere)
    yield
    assert files(elsewhere) == []


@contextlib.contextmanager
def open_to_all(folder: Path) -> Iterator[None]:
    folder.mkdir()
    folder.chmod(0o777)
    yield


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    folder.mkdir(mode=0o555)
    yield


@contextlib.contextmanager
def usual(folder: Path) -> Iterator[None]:
    folder.mkdir(mode=0o700)
    yield


@contextlib.contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    """A file system of its own, small enough to be filled at once."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,mode=1777", "portsup", folder], check=True)
    try:
        (folder / "filling").write_bytes(b"x" * os.sysconf("SC_PAGE_SIZE"))
        for option in options:
            subprocess.run(["mount", "-o", f"remount,{option}", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


Bad = tuple[Callable[[Path], contextlib.AbstractContextManager[None]], tuple[str, ...], str, str]

BAD: dict[str, Bad] = {
    "link": (linked, (), "it is a link", "repair it, or name another folder in PORTSUP_LOCK_DIR"),
    "not-sticky": (open_to_all, (), "its sticky bit is missing", "chmod +t "),
    "read-only": (read_only, WITHOUT_ROOTS_RIGHTS, "this user can't write there", "PORTSUP_LOCK_DIR"),
    "no-room-for-a-file": (usual, TINY_FILES, "File too large", "make room there, or name"),
}
"""How the folder is made bad, what goes before the command, the reason and the hint."""

MOUNTED: dict[str, Bad] = {
    "read-only-disk": (lambda folder: mounted(folder, "ro"), (), "this user can't write there", "LOCK_DIR"),
    "full-disk": (mounted, (), "No space left on device", "make room there"),
}


@pytest.mark.parametrize(
    "bad",
    [*BAD.values(), *(pytest.param(bad, marks=needs_root) for bad in MOUNTED.values())],
    ids=[*BAD, *MOUNTED],
)
def test_refused(portsup_home: Home, tmp_path: Path, ports_block: int, bad: Bad) -> None:
    """Each with its reason and the way out, in the foreground as in the background."""
    spoiled, through, reason, hint = bad
    write_stack(
        tmp_path, {"web": {"command": MARKS, "pool": {"offset": 0, "size": 2}}}, base_port=ports_block
    )
    with spoiled(portsup_home.locks):
        there = files(portsup_home.locks)
        for arguments in ((), ("-d",), ("--wait",)):
            refused = Portsup(portsup_home, tmp_path, through).run("up", "-i", "1", *arguments)
            assert refused.returncode == 1, refused.stderr
            first, *rest = refused.stderr.splitlines()
            assert first.startswith("portsup: cannot ") and str(portsup_home.locks) in first
            assert reason in first
            assert hint in rest[-1] and rest[-1].startswith("hint: ")
            assert "Traceback" not in refused.stderr
            assert files(portsup_home.locks) == there
        # A daemon's guard may end after its caller.
        wait_until(lambda: not portsup_home.processes(), 10, "the end of all")
    assert not (tmp_path / "started").exists()


@needs_root
def test_another_users_sticky_folder(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """It is used, and whose it is is said each time."""
    portsup_home.locks.mkdir()
    os.chown(portsup_home.locks, NOBODY, NOBODY)
    portsup_home.locks.chmod(0o1777)
    write_stack(portsup.cwd, {"web": {"pool": {"offset": 0, "size": 2}}}, base_port=ports_block)
    whose = f"warning: the lock folder {portsup_home.locks} belongs to uid {NOBODY}"
    assert whose in portsup.run("up", "-i", "1", "-d").stderr
    running = portsup.up("-i", "2")
    assert [one["state"] for one in portsup.wait_for_services(2)["services"]] == ["RUNNING"]
    assert whose in running.stderr
    assert len(portsup_home.lock_files()) == 4
    assert portsup.run("down", "--all").returncode == 0
    assert portsup_home.lock_files() == []
