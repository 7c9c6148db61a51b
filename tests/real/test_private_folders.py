"""The folders and files of one user, and what others of the same machine may have planted there."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from claims import NOBODY, another_user, needs_root, public_folder

from supervisor import paths, private
from supervisor.errors import PortsupError

Plant = Callable[[Path], object]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        private.bind_private(bound, path, "control socket")


# Under every umask


def test_the_runtime_folder(tmp_path: Path, umask: int) -> None:
    """0700, and the socket in it 0600; what had to be made above it is private too."""
    path = tmp_path / "xdg" / "run" / "portsup" / "1.sock"
    bind(path)
    assert [mode(path), mode(path.parent), mode(tmp_path / "xdg")] == [0o600, 0o700, 0o700]


def test_the_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, umask: int) -> None:
    """Logs and data are for this user alone, and so is all that had to be made above them."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "local" / "state"))
    instance = paths.instance_folder(tmp_path / "services.toml", "test", 1)
    log = paths.service_log(paths.log_folder(instance), "api")
    data = private.make_data_folder(instance)
    os.close(private.open_log(log))
    assert mode(log) == 0o600
    made = [data, *(parent for parent in log.parents if parent.is_relative_to(tmp_path / "local"))]
    assert {mode(folder) for folder in made} == {0o700}


def test_a_state_folder_that_others_may_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older one, made under a loose umask, is closed for writing; who may read it stays."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    state = paths.state_folder()
    state.mkdir()
    state.chmod(0o777)
    assert private.make_state_folder() == state
    assert mode(state) == 0o755


def test_a_state_folder_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user may keep it on another disk, by a link of his own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    (tmp_path / "disk").mkdir()
    paths.state_folder().symlink_to(tmp_path / "disk")
    assert private.make_state_folder().samefile(tmp_path / "disk")


# What lies there already


def test_a_loose_runtime_folder_is_closed(tmp_path: Path) -> None:
    """One of our own with mode 0777 becomes 0700 before anything is put there."""
    folder = tmp_path / "portsup"
    folder.mkdir()
    folder.chmod(0o777)
    bind(folder / "1.sock")
    assert mode(folder) == 0o700


def link_to_a_folder(path: Path) -> None:
    (path.parent / "elsewhere").mkdir()
    path.symlink_to(path.parent / "elsewhere")


def dangling_link(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere")


@pytest.mark.parametrize("plant", [link_to_a_folder, dangling_link, Path.touch, os.mkfifo])
def test_a_runtime_folder_that_is_none(tmp_path: Path, plant: Plant) -> None:
    """A link, a file or a pipe in its place is refused, named, and left as it was."""
    folder = tmp_path / "portsup"
    plant(folder)
    before = folder.lstat()
    with pytest.raises(PortsupError) as caught:
        bind(folder / "1.sock")
    assert caught.value.message == f"cannot use {folder} for sockets: it is not a folder"
    assert caught.value.hint == "remove it, or set XDG_RUNTIME_DIR to a private folder"
    assert folder.lstat() == before
    assert not (tmp_path / "nowhere").exists()


@needs_root
def test_a_squatted_runtime_folder() -> None:
    """Whoever made /tmp/portsup-<uid> first doesn't get our socket, and is named."""
    with public_folder() as shared:
        folder = shared / "portsup-0"
        with another_user():
            folder.mkdir(0o777)
        with pytest.raises(PortsupError) as caught:
            bind(folder / "1.sock")
        assert caught.value.message == f"cannot use {folder} for sockets: it belongs to uid {NOBODY}"
        assert not list(folder.iterdir())


def test_a_folder_that_others_could_exchange(tmp_path: Path) -> None:
    """In a folder that all may write and that isn't sticky, anybody could put another in its place."""
    tmp_path.chmod(0o777)
    with pytest.raises(PortsupError, match="others could put another in its place") as caught:
        bind(tmp_path / "portsup" / "1.sock")
    assert caught.value.hint is not None and f"chmod +t {tmp_path}" in caught.value.hint
    tmp_path.chmod(0o1777)
    bind(tmp_path / "portsup" / "1.sock")


@pytest.mark.parametrize("plant", [Path.touch, dangling_link, os.mkfifo, bind])
def test_a_socket_path_that_is_taken(tmp_path: Path, plant: Plant) -> None:
    """What lies at a socket's path, in a folder of ours alone, is replaced; a link isn't followed."""
    path = tmp_path / "portsup" / "1.sock"
    private.make_private_folder(path.parent)
    plant(path)
    bind(path)
    assert stat.S_ISSOCK(path.lstat().st_mode) and mode(path) == 0o600
    assert not (path.parent / "nowhere").exists()


def test_a_folder_at_a_sockets_path(tmp_path: Path) -> None:
    """A folder isn't removed: the error says what is in the way."""
    path = tmp_path / "portsup" / "1.sock"
    path.mkdir(parents=True)
    with pytest.raises(PortsupError, match=f"cannot listen on the control socket {path}"):
        bind(path)


@needs_root
def test_another_users_state_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where XDG_STATE_HOME is shared, who comes first doesn't get the others' logs."""
    with public_folder() as shared:
        monkeypatch.setenv("XDG_STATE_HOME", str(shared))
        with another_user():
            paths.state_folder().mkdir(0o777)
        with pytest.raises(PortsupError) as caught:
            private.make_state_folder()
        assert caught.value.message == (
            f"cannot use {paths.state_folder()} for logs and data: it belongs to uid {NOBODY}"
        )
        assert caught.value.hint == "set XDG_STATE_HOME to a private folder, or have root remove this one"


@needs_root
def test_another_users_link(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A link that another user made is refused, wherever it leads."""
    with public_folder() as shared:
        monkeypatch.setenv("XDG_STATE_HOME", str(shared))
        with another_user():
            paths.state_folder().symlink_to(tmp_path)
        with pytest.raises(PortsupError, match=f"it belongs to uid {NOBODY}"):
            private.make_state_folder()
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("plant", "why"),
    [
        (link_to_a_folder, "it is a link"),
        (dangling_link, "it is a link"),
        (os.mkfifo, "it is not a file"),
        (Path.mkdir, "it is not a file"),
    ],
)
def test_a_log_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plant: Plant, why: str) -> None:
    """A link isn't followed and a pipe without a reader isn't waited for."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    log = paths.state_folder() / "x" / "api.log"
    log.parent.mkdir(parents=True)
    plant(log)
    with pytest.raises(PortsupError) as caught:
        private.open_log(log)
    assert caught.value.message == f"cannot write to {log}: {why}"
    assert not (log.parent / "nowhere").exists()


@needs_root
def test_another_users_log() -> None:
    """A file that another user could read isn't written to, though it may be."""
    with public_folder() as shared:
        log = shared / "api.log"
        with another_user():
            log.touch(0o666)
            log.chmod(0o666)
        with pytest.raises(PortsupError, match=f"it belongs to uid {NOBODY}"):
            private.open_log(log)
        assert not log.read_text()


def test_a_full_pipe_is_no_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is one that somebody reads: it would block whoever writes."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    log = paths.state_folder() / "api.log"
    log.parent.mkdir()
    os.mkfifo(log)
    reader = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(PortsupError, match="it is not a file"):
            private.open_log(log)
    finally:
        os.close(reader)
