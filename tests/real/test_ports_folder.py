"""The lock folder: which are taken, which are refused, and with what reason."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

import pytest
from claims import NOBODY, another_user, needs_root, public_folder

from supervisor.errors import LockFolderError
from supervisor.ports.lock import LockFolder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_it_is_made_for_all_users(tmp_path: Path, umask: int) -> None:
    """Mode 1777 whatever the umask, which stays as it was."""
    before = os.umask(umask)
    try:
        folder = LockFolder.open(tmp_path / "deep" / "locks")
        folder.close()
        folder.close()
    finally:
        assert os.umask(before) == umask
    assert mode(folder.path) == 0o1777
    assert folder.warnings == ()


def test_a_private_folder_is_fine(tmp_path: Path) -> None:
    """PORTSUP_LOCK_DIR may name a folder that only its owner can write to; it stays as it is."""
    tmp_path.chmod(0o700)
    folder = LockFolder.open(tmp_path)
    folder.close()
    assert folder.warnings == () and mode(tmp_path) == 0o700


def test_a_link_is_refused(tmp_path: Path) -> None:
    """Somebody could turn it elsewhere."""
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(LockFolderError, match="it is a link"):
        LockFolder.open(tmp_path / "link")


def test_a_file_is_refused(tmp_path: Path) -> None:
    """A file isn't a folder, and is left alone."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(LockFolderError, match="it is not a folder"):
        LockFolder.open(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_world_writable_folder_needs_the_sticky_bit(tmp_path: Path) -> None:
    """Without it anybody could remove the locks; the hint says how to mend that."""
    tmp_path.chmod(0o777)
    with pytest.raises(LockFolderError, match="sticky bit is missing") as caught:
        LockFolder.open(tmp_path)
    assert caught.value.hint == f"chmod +t {tmp_path}"


@needs_root
def test_another_users_sticky_folder_is_used_with_a_warning(tmp_path: Path) -> None:
    """The warning names the owner."""
    os.chown(tmp_path, NOBODY, -1)
    tmp_path.chmod(0o1777)
    folder = LockFolder.open(tmp_path)
    folder.close()
    (warning,) = folder.warnings
    assert f"uid {NOBODY}" in warning


@needs_root
def test_a_folder_that_may_not_be_written_is_refused() -> None:
    """The reason is said before anything is started."""
    with public_folder() as folder:
        folder.chmod(0o755)
        with another_user(), pytest.raises(LockFolderError, match="can't write there"):
            LockFolder.open(folder)


def test_cleaners_are_kept_away(tmp_path: Path) -> None:
    """As long as it is open nobody gets an exclusive lock on the folder; several may have it open."""
    first, second = LockFolder.open(tmp_path), LockFolder.open(tmp_path)
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        first.close()
        with pytest.raises(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        second.close()
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        third = LockFolder.open(tmp_path)
        third.close()
        assert "cannot lock" in third.warnings[0]
    finally:
        os.close(fd)
