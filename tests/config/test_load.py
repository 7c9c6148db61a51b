"""services.toml → Config, where the file is right."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import pytest
from claims import another_user, public_folder

from supervisor.config.load import load
from supervisor.config.model import (
    Backoff,
    Config,
    LogLimits,
    OnLost,
    Ready,
    ReadyKind,
    RelativePool,
    Restart,
    Service,
    SharedPool,
    ShieldMode,
    Stop,
    StopMode,
)
from supervisor.errors import ConfigError

EVERYTHING = """
[stack]
name = "qwen-valencia"
base_port = 20000
stride = 200
env_files = [".env"]

[defaults]
restart = "always"
env = { LEVEL = "info", REGION = "here" }
backoff = { initial = "1s", limit = 9 }
stop = { signal = "INT" }
log = { files = 5 }
ready = { tcp = true }

[services.mcp-universal]
command = "python3 'a b.py' --port ${port}"
pool = { offset = 0, size = 3 }

[services.sandra-ia]
command = ["python3", "-m", "sandra ia"]
cwd = "sub"
pool = { offset = 30, size = 4 }
pools.metrics = { offset = 50, size = 2 }
pools.debug-x = { ports = [9100, 9101], env = "DBG" }
port_env = "SANDRA"
depends_on = ["mcp-universal"]
env = { LEVEL = "debug", N = 3, F = 0.5, URL = "${mcp-universal.url}" }
ready = { http = "/api/health", timeout = "10s" }
restart = "on-failure"
backoff = { initial = "500ms", max = "2m", factor = 1.5 }
stop = { timeout = 1, mode = "group" }
shield = "lock"
socket = false
on_lost = "rotate"
log = { max_size = "1GiB" }

[services.api-server]
command = "while true; do echo $HOME | cat; done"
shell = true
pool = { ports = [9002, 9000] }
ready = { exec = "curl -f ${url}" }

[services.job]
command = "true"
ready = { log = "ready$" }
restart = "no"
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "services.toml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / ".env").write_text("A=1\n")
    (tmp_path / "sub").mkdir()
    return load(write(tmp_path, EVERYTHING))


def service(config: Config, name: str) -> Service:
    return next(service for service in config.services if service.name == name)


def test_the_stack(config: Config, tmp_path: Path) -> None:
    """Its own table, the env files, and the services in the file's order."""
    assert (config.stack, config.base_port, config.stride) == ("qwen-valencia", 20000, 200)
    assert config.path == tmp_path / "services.toml"
    assert config.env == {"A": "1"}
    assert [service.name for service in config.services] == [
        "mcp-universal",
        "sandra-ia",
        "api-server",
        "job",
    ]
    assert config.warnings == ()


def test_defaults_fill_in_what_a_service_leaves_out(config: Config, tmp_path: Path) -> None:
    """A service that says little has everything from [defaults] and then from the model."""
    assert service(config, "mcp-universal") == Service(
        name="mcp-universal",
        command=("python3", "a b.py", "--port", "${port}"),
        cwd=tmp_path,
        env={"LEVEL": "info", "REGION": "here"},
        pools=(RelativePool("port", "PORT", 0, 3),),
        ready=Ready(ReadyKind.TCP),
        restart=Restart.ALWAYS,
        backoff=Backoff(initial=1, limit=9),
        stop=Stop(signal=signal.SIGINT),
        log=LogLimits(files=5),
    )


def test_a_service_wins_over_defaults(config: Config, tmp_path: Path) -> None:
    """env, backoff, stop and log are merged key by key, ready is replaced whole."""
    assert service(config, "sandra-ia") == Service(
        name="sandra-ia",
        command=("python3", "-m", "sandra ia"),
        cwd=tmp_path / "sub",
        env={"LEVEL": "debug", "REGION": "here", "N": "3", "F": "0.5", "URL": "${mcp-universal.url}"},
        pools=(
            RelativePool("port", "SANDRA", 30, 4),
            RelativePool("metrics", "METRICS_PORT", 50, 2),
            SharedPool("debug-x", "DBG", (9100, 9101)),
        ),
        depends_on=("mcp-universal",),
        ready=Ready(ReadyKind.HTTP, path="/api/health", timeout=10),
        restart=Restart.ON_FAILURE,
        backoff=Backoff(initial=0.5, max=120, factor=1.5, limit=9),
        stop=Stop(signal.SIGINT, 1, StopMode.GROUP),
        shield=ShieldMode.LOCK,
        on_lost=OnLost.ROTATE,
        log=LogLimits(1 << 30, 5),
    )


def test_a_shell_gets_its_string_whole(config: Config) -> None:
    """Nothing is split, and the pool's ports keep the order of the file."""
    api = service(config, "api-server")
    assert api.shell
    assert api.command == ("while true; do echo $HOME | cat; done",)
    assert api.pools == (SharedPool("port", "PORT", (9002, 9000)),)
    assert api.ready == Ready(ReadyKind.EXEC, command=("curl", "-f", "${url}"))


def test_a_worker_has_no_pool(config: Config) -> None:
    """No pool, no port, and a log pattern keeps its dollar."""
    job = service(config, "job")
    assert job.pools == ()
    assert job.ready == Ready(ReadyKind.LOG, pattern="ready$")


@pytest.mark.parametrize(
    ("folder", "stack"),
    [("my project", "my-project"), (".hidden", "hidden"), ("größe", "gr-e"), ("…", "stack")],
)
def test_the_stack_is_called_like_its_folder(tmp_path: Path, folder: str, stack: str) -> None:
    """What a stack's name can't hold becomes a dash."""
    (tmp_path / folder).mkdir()
    assert load(write(tmp_path / folder, "[services.a]\ncommand = 'x'")).stack == stack


def test_a_byte_order_mark_and_windows_lines_are_fine(tmp_path: Path) -> None:
    """What Notepad writes loads."""
    file = tmp_path / "services.toml"
    file.write_bytes(b"\xef\xbb\xbf[services.a]\r\ncommand = 'x'\r\n")
    assert load(file).services[0].command == ("x",)


def test_the_folders_links_are_followed_and_the_files_are_not(tmp_path: Path) -> None:
    """One worktree has one path however it is reached, and two that share a file by a link stay two."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    file = write(tmp_path / "one", "[services.a]\ncommand = 'x'")
    (tmp_path / "alias").symlink_to(tmp_path / "one")
    (tmp_path / "two/services.toml").symlink_to(file)
    assert load(tmp_path / "alias/services.toml").path == file
    assert load(tmp_path / "two/../one/services.toml").path == file
    assert load(tmp_path / "two/services.toml").path == tmp_path / "two/services.toml"


def test_a_later_env_file_wins(tmp_path: Path) -> None:
    """Quotes and exports as dotenv reads them; dollars stay."""
    (tmp_path / "a.env").write_text("A=1\nexport B='x y'\n# C=3\n")
    (tmp_path / "b.env").write_text('A="2"\nE=${A}\n')
    text = "[stack]\nenv_files = ['a.env', 'b.env']\n[services.a]\ncommand = 'x'"
    assert load(write(tmp_path, text)).env == {"A": "2", "B": "x y", "E": "${A}"}


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    """Each with its path and the system's reason."""
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(ConfigError, match=r"none\.toml: no such file"):
        load(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match=r"folder\.toml: is a directory"):
        load(tmp_path / "folder.toml")


def test_an_unreadable_file_is_refused() -> None:
    """The reason is the system's."""
    with public_folder() as folder:
        file = write(folder, "")
        file.chmod(0)
        # root reads everything, so it looks as somebody else
        somebody = another_user() if os.geteuid() == 0 else contextlib.nullcontext()
        with somebody, pytest.raises(ConfigError, match="permission denied"):
            load(file)


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    """The line of the first wrong byte is named."""
    file = tmp_path / "services.toml"
    file.write_bytes(b"# fine\n# caf\xe9\n")
    with pytest.raises(ConfigError, match="not UTF-8") as caught:
        load(file)
    assert caught.value.details == (f"{file}:2: byte 0xe9 is not UTF-8",)
