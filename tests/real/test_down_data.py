"""`down --data`: what services keep for the next run goes, nobody else's does, never without a question."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from harness import COMMAND, WITHOUT_ROOTS_RIGHTS, Home, Portsup, wait_until, write_stack
from terminal import Terminal

DATABASE = """
import fcntl, os, signal, sys
file = open(os.path.join(sys.argv[1], 'db'), 'a')
fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
print(os.getcwd(), file=file, flush=True)
print('open', flush=True)
signal.pause()
"""
"""As a database does, it ends at once if another one has its files."""


@pytest.fixture
def stack(portsup: Portsup, ports_block: int) -> Path:
    command = [sys.executable, "-I", "-S", "-c", DATABASE, "${data_dir}"]
    return write_stack(
        portsup.cwd, {"db": {"command": command, "ready": {"log": "open"}}}, base_port=ports_block
    )


def folders(home: Home) -> list[Path]:
    return sorted(home.folder.glob("state/portsup/*/*/data"))


def test_nobody_shares_a_folder(
    portsup: Portsup, stack: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Two worktrees of a project with two instances each: four databases that each lock a file."""
    other = tmp_path_factory.mktemp("other")
    (other / "services.toml").write_text(stack.read_text())
    for cwd, number in ((portsup.cwd, 1), (portsup.cwd, 2), (other, 3), (other, 4)):
        assert portsup.run("up", "-i", str(number), "--wait", cwd=cwd).returncode == 0
    assert len(folders(portsup.home)) == 4
    assert portsup.run("down", "--all", "--data", "--yes", cwd=other).returncode == 0
    assert [folder.parent.name for folder in folders(portsup.home)] == ["1", "2"]
    assert portsup.run("down", "-i", "2", "--data", "--yes").returncode == 0
    (kept,) = folders(portsup.home)
    assert (kept / "db").read_text() == f"{portsup.cwd}\n"
    assert portsup.run("down").returncode == 0
    assert portsup.run("down", "--data", "--yes").returncode == 0  # of an earlier run
    assert folders(portsup.home) == []
    gone = portsup.run("down", "--data", "--yes")
    assert gone.returncode == 1 and "is up" in gone.stderr


def test_asked_first(portsup: Portsup, stack: Path) -> None:
    """Nobody to ask, or a no: nothing is stopped. No variable stands for a yes."""
    assert portsup.run("up", "-i", "1", "--wait").returncode == 0
    refused = portsup.run("down", "--data", PORTSUP_YES="1")
    assert refused.returncode == 2 and "--yes" in refused.stderr
    assert portsup.run("down", "--yes").returncode == 2
    for answer, code in ((b"n\n", 1), (b"y\n", 0)):
        assert portsup.instance(1)["state"] == "running"
        terminal = Terminal([*COMMAND, "down", "--data"], portsup.cwd, portsup.home.environ, (200, 24))
        try:
            wait_until(partial(_asks, terminal), 10)
            terminal.type(answer)
            assert terminal.wait() == code
        finally:
            terminal.close()
    assert folders(portsup.home) == []


def _asks(terminal: Terminal) -> bool:
    return "(1 file, " in terminal.screen and "[y/N]" in terminal.screen


def test_links_and_read_only_folders(portsup_home: Home, stack: Path, tmp_path: Path) -> None:
    """A link goes and what it leads to stays; our own read-only folders are no obstacle; a data folder that
    is a link itself isn't ours to empty."""
    portsup = Portsup(portsup_home, stack.parent, WITHOUT_ROOTS_RIGHTS)
    assert portsup.run("up", "-i", "1", "--wait").returncode == 0
    (data,) = folders(portsup_home)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").touch()
    (data / "link").symlink_to(elsewhere)
    (data / "cache" / "inside").mkdir(parents=True)
    (data / "cache" / "inside" / "file").touch()
    (data / "cache" / "inside").chmod(0o500)
    (data / "cache").chmod(0)
    done = portsup.run("down", "--data", "--yes")
    assert done.returncode == 0, done.stderr
    assert folders(portsup_home) == [] and (elsewhere / "file").exists()
    data.symlink_to(elsewhere)
    linked = portsup.run("down", "--data", "--yes")
    assert linked.returncode == 1 and f"{data} is a link" in linked.stderr
    assert (elsewhere / "file").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to another user")
def test_what_is_left_is_told(portsup_home: Home, stack: Path) -> None:
    """What another user keeps in a folder of his own there."""
    through = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search,-fowner")
    portsup = Portsup(portsup_home, stack.parent, through)
    assert portsup.run("up", "-i", "1", "--wait").returncode == 0
    (data,) = folders(portsup_home)
    theirs = data / "theirs"
    theirs.mkdir()
    (theirs / "file").touch()
    os.chown(theirs, 65534, 65534)
    theirs.chmod(0o755)
    done = portsup.run("down", "--data", "--yes")
    assert done.returncode == 1
    assert f"{theirs / 'file'}: Permission denied" in done.stderr
    assert not (data / "db").exists()
    assert portsup_home.lock_files() == []


def test_somebody_was_quicker(portsup: Portsup, stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The instance is up again when its data was to go: exit 75, and the data stays."""
    from supervisor.cli import data
    from supervisor.cli.target import of_worktree
    from supervisor.errors import InstanceTaken

    for name, value in portsup.home.variables.items():
        monkeypatch.setenv(name, value)
    assert portsup.run("up", "-i", "1", "--wait").returncode == 0
    (record,) = of_worktree(stack)
    with pytest.raises(InstanceTaken):
        data.remove(data.of_instance(record))
    assert (folders(portsup.home)[0] / "db").exists()
    assert portsup.run("down").returncode == 0


def _dig(folder: Path, depth: int) -> None:
    """Folders in folders, deeper than a path can say."""
    folder.mkdir()
    fd = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("a-folder", dir_fd=fd)
        below = os.open("a-folder", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)


def test_deep_folders(portsup_home: Home, portsup: Portsup, stack: Path) -> None:
    """Neither calls nor descriptors are used up, however deep the folders lie."""
    assert portsup.run("up", "-i", "1", "--wait").returncode == 0
    (data,) = folders(portsup_home)
    few = Portsup(portsup_home, stack.parent, ("sh", "-c", 'ulimit -n 300 && exec "$0" "$@"'))
    try:
        _dig(data / "deep", 2000)
        done = few.run("down", "--data", "--yes")
        assert done.returncode == 0, done.stderr
        assert folders(portsup_home) == []
    finally:
        subprocess.run(["rm", "-rf", data], check=True)  # shutil.rmtree is not for these


def test_moved_while_it_is_removed(tmp_path: Path) -> None:
    """Where a folder is moved elsewhere, the way back from it isn't gone."""
    from supervisor.cli.removal import Removal

    tree, other = tmp_path / "tree", tmp_path / "other"
    (tree / "deep" / "inside").mkdir(parents=True)
    other.mkdir()
    fd = os.open(tmp_path, os.O_RDONLY)
    removal = Removal(fd, str(tmp_path))
    try:
        removal.enter("tree")
        removal.enter("deep")
        (tree / "deep").rename(other / "deep")
        with pytest.raises(OSError, match="deep was moved away"):
            removal.leave()
    finally:
        removal.close()
        os.close(fd)
    assert (other / "deep" / "inside").exists()
