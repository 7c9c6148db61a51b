"""The file with the API's token: made once, and refused where it can't be trusted."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from claims import NOBODY, needs_root

from supervisor import paths
from supervisor.errors import PortsupError
from supervisor.loopback import token
from supervisor.loopback.token import TokenFileError

GOOD = b"x" * 43 + b"\n"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return paths.api_token_file()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077], ids=oct)
def test_it_is_made_for_this_user_alone(file: Path, umask: int) -> None:
    """Mode 0600 in a folder of mode 0700, under every umask; nothing else is left there."""
    before = os.umask(umask)
    try:
        made = token.current(file)
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert list(file.parent.iterdir()) == [file]
    assert token.current(file) == made == file.read_bytes().strip()


def test_it_is_another_each_time(file: Path) -> None:
    """Whoever removes it gets a new one, at once."""
    first = token.current(file)
    file.unlink()
    assert token.current(file) != first


def test_servers_that_start_at_once_agree(file: Path) -> None:
    """Eight make it at the same time, and all have the one that is in the file."""
    start = threading.Barrier(8)
    found: list[bytes] = []

    def make() -> None:
        start.wait(20)
        found.append(token.current(file))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert found == [file.read_bytes().strip()] * 8


def written(data: bytes, mode: int = 0o600) -> Callable[[Path], None]:
    def write(file: Path) -> None:
        file.write_bytes(data)
        file.chmod(mode)

    return write


def link(file: Path) -> None:
    written(GOOD)(file.with_name("other"))
    file.symlink_to("other")


def dangling(file: Path) -> None:
    file.symlink_to("nowhere")


@pytest.mark.parametrize(
    ("plant", "why"),
    [
        (written(GOOD, 0o644), "others may read or write it (mode 0644)"),
        (written(GOOD, 0o620), "others may read or write it (mode 0620)"),
        (written(b""), "it holds no token"),
        (written(b"short\n"), "it holds no token"),
        (written(b"\xff" * 5000), "it holds no token"),
        (link, "it is a link"),
        (dangling, "it is a link"),
        (os.mkfifo, "it is not a file"),
        (Path.mkdir, "it is not a file"),
    ],
)
def test_what_cannot_be_trusted(file: Path, plant: Callable[[Path], object], why: str) -> None:
    """Refused with the reason and what to do, and left as it is."""
    file.parent.mkdir()
    plant(file)
    before = file.lstat().st_ino
    with pytest.raises(TokenFileError) as caught:
        token.current(file)
    assert caught.value.message == f"cannot use {file} as the API's token: {why}"
    assert caught.value.hint == "remove it: `portsup serve` makes a new one"
    assert file.lstat().st_ino == before and not (file.parent / "nowhere").exists()


@needs_root
def test_another_users_file(file: Path) -> None:
    """One that somebody else wrote is known to somebody else."""
    file.parent.mkdir()
    written(GOOD)(file)
    os.chown(file, NOBODY, -1)
    with pytest.raises(TokenFileError, match=f"it belongs to uid {NOBODY}"):
        token.current(file)


@needs_root
def test_another_users_folder(file: Path) -> None:
    """Nothing is made there."""
    file.parent.mkdir()
    os.chown(file.parent, NOBODY, -1)
    with pytest.raises(PortsupError, match=f"it belongs to uid {NOBODY}"):
        token.current(file)
    assert not list(file.parent.iterdir())
