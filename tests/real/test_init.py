"""`portsup init`, for real: what it writes comes up, and what it must not touch stays."""

from __future__ import annotations

import re
import shutil
import socket
from functools import partial
from pathlib import Path

import pytest
from harness import COMMAND, MAY_SKIP, ROOT, Home, Portsup, assert_nothing_left, wait_until
from terminal import Terminal

from supervisor.cli.init import write_file
from supervisor.errors import PortsupError

SAMPLES = ROOT / "tests" / "importing" / "samples"

PROCFILE = "web: python3 -m http.server $PORT\n"
MANUAL = "# written by hand\n"


def based(folder: Path, base: int) -> None:
    """Move a services.toml into the test's own ports."""
    file = folder / "services.toml"
    file.write_text(re.sub(r"(?m)^base_port = \d+", f"base_port = {base}", file.read_text()))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sample", "program", "said"),
    [
        ("shell-procfile", "python3", {"greeter": "hello world", "ticker-1": "tick"}),
        ("plain-compose", "python3", {"client": "api answered 200 ", "prepare": "prepared"}),
        ("node-procfile", "node", {}),
        ("script-package", "npm", {}),
    ],
)
def test_it_comes_up(
    sample: str, program: str, said: dict[str, str], portsup: Portsup, ports_block: int, tmp_path: Path
) -> None:
    """Every service is ready, those with a port listen on theirs, and all of it goes down again."""
    if shutil.which(program) is None and MAY_SKIP:
        pytest.skip(f"there is no {program}")
    folder = Path(shutil.copytree(SAMPLES / sample, tmp_path / sample))
    assert portsup.run("init", cwd=folder).returncode == 0
    based(folder, ports_block)
    up = portsup.run("up", "-d", "--wait", "--timeout", "20", cwd=folder)
    assert up.returncode == 0, up.stderr
    try:
        for name, text in said.items():
            wait_until(partial(says, portsup, folder, name, text), 15, text)
        (instance,) = portsup.ask("status", cwd=folder)["instances"]
        ports = [port for one in instance["services"] for port in one["ports"].values()]
        assert ports
        for port in ports:
            wait_until(partial(answers, port), 15, f"an answer on {port}")
    finally:
        down = portsup.run("down", cwd=folder)
    assert down.returncode == 0, down.stderr
    assert_nothing_left(portsup.home, ports)


def says(portsup: Portsup, folder: Path, name: str, text: str) -> bool:
    return text in portsup.run("logs", name, cwd=folder).stdout


def answers(port: int) -> bool:
    """Whether a web server does."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return connection.recv(100).startswith(b"HTTP/1")
    except OSError:
        return False


def test_dry_run_writes_nothing(portsup: Portsup, tmp_path: Path) -> None:
    """The file goes to stdout, what was lost to stderr, also where a services.toml is."""
    (tmp_path / "Procfile").write_text(PROCFILE + "no line\n")
    (tmp_path / "services.toml").write_text(MANUAL)
    done = portsup.run("init", "--dry-run")
    assert done.returncode == 0
    assert 'command = "python3 -m http.server ${port}"' in done.stdout
    assert done.stderr == "not carried over: Procfile:2: not of the form `name: command`\n"
    assert (tmp_path / "services.toml").read_text() == MANUAL


@pytest.mark.parametrize("link", [False, True], ids=["file", "dangling link"])
def test_what_is_there_stays(portsup: Portsup, tmp_path: Path, link: bool) -> None:
    """Without --force nothing is written over."""
    (tmp_path / "Procfile").write_text(PROCFILE)
    if link:
        (tmp_path / "services.toml").symlink_to("elsewhere.toml")
    else:
        (tmp_path / "services.toml").write_text(MANUAL)
    done = portsup.run("init")
    assert done.returncode == 1
    assert done.stderr.startswith("portsup: services.toml is there already\nhint: --force replaces it")
    assert link or (tmp_path / "services.toml").read_text() == MANUAL
    assert not (tmp_path / "elsewhere.toml").exists()


def test_what_comes_meanwhile_stays(tmp_path: Path) -> None:
    """The file itself is created, or not at all."""
    target = tmp_path / "services.toml"
    target.write_text(MANUAL)
    with pytest.raises(PortsupError, match="is there already"):
        write_file(target, "other", replace=False)
    assert target.read_text() == MANUAL


def test_nobody_is_asked_in_vain(portsup: Portsup, tmp_path: Path) -> None:
    """That a file is there is said before anything else."""
    (tmp_path / "services.toml").write_text(MANUAL)
    assert "is there already" in portsup.run("init").stderr


def test_force_replaces(portsup: Portsup, tmp_path: Path) -> None:
    """The file itself where the name is a link, and nothing else lies there afterwards."""
    (tmp_path / "Procfile").write_text(PROCFILE)
    (tmp_path / "shared.toml").write_text(MANUAL)
    (tmp_path / "services.toml").symlink_to("shared.toml")
    assert portsup.run("init", "--force").returncode == 0
    assert "[services.web]" in (tmp_path / "shared.toml").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Procfile", "services.toml", "shared.toml"]


def test_broken_yaml(portsup: Portsup, tmp_path: Path) -> None:
    """File and line, exit code 78, and nothing written."""
    (tmp_path / "compose.yaml").write_text("services:\n  web:\n   - a\n  b: [\n")
    done = portsup.run("init")
    assert done.returncode == 78
    assert done.stderr.startswith("portsup: compose.yaml is not valid YAML\n  compose.yaml:5: ")
    assert not (tmp_path / "services.toml").exists()


def test_nothing_to_carry_over(portsup: Portsup, tmp_path: Path) -> None:
    """An error with the reason for each service, not a file that doesn't load."""
    (tmp_path / "compose.yaml").write_text("services:\n  web: {build: .}\n")
    done = portsup.run("init")
    assert done.returncode == 78
    assert "  web: its command is in no file that portsup reads" in done.stderr
    assert not (tmp_path / "services.toml").exists()


def test_nothing_to_read_and_nobody_to_ask(portsup: Portsup) -> None:
    """A usage error that names what is looked for."""
    done = portsup.run("init")
    assert done.returncode == 2
    assert "Procfile" in done.stderr and "no terminal to ask" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("nowhere/Procfile",), 78, "portsup: cannot read nowhere/Procfile: no such file or directory"),
        (("folder",), 78, "portsup: cannot read folder: is a directory"),
        (("latin1",), 78, "portsup: cannot read latin1: it is not UTF-8"),
        (
            ("Procfile", "-f", "nowhere/services.toml"),
            1,
            "portsup: cannot write nowhere/services.toml: no such",
        ),
    ],
)
def test_files_that_can_not_be_used(
    portsup: Portsup, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    """One line that says which and why."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "Procfile").write_text(PROCFILE)
    (tmp_path / "latin1").write_bytes(b"web: caf\xe9\n")
    done = portsup.run("init", *arguments)
    assert (done.returncode, done.stderr.startswith(message)) == (code, True), done.stderr


def test_folders_follow_the_file(portsup: Portsup, tmp_path: Path) -> None:
    """Written elsewhere than beside its source, it still means the source's folders and env files."""
    web = tmp_path / "web"
    (web / "src").mkdir(parents=True)
    (web / "Procfile").write_text("web: cd src && python3 -m http.server $PORT\n")
    (web / ".env").write_text("MODE=dev\n")
    assert portsup.run("init", "web/Procfile", "-f", "services.toml").returncode == 0
    (one,) = portsup.ask("check")["services"]
    assert one["cwd"] == str(web / "src")
    assert 'env_files = ["web/.env"]' in (tmp_path / "services.toml").read_text()


def test_an_env_file_that_would_break_it(portsup: Portsup, tmp_path: Path) -> None:
    """It is left out and told of, without what it says."""
    (tmp_path / "Procfile").write_text(PROCFILE)
    (tmp_path / ".env").write_text("PASSWORD hunter2\n")
    done = portsup.run("init")
    assert done.returncode == 0 and portsup.run("check").returncode == 0
    assert "the env file .env: " in done.stderr and "hunter2" not in done.stderr


def test_others_beside_it_are_told_of(portsup: Portsup, tmp_path: Path) -> None:
    """What wasn't read is no secret."""
    (tmp_path / "compose.yaml").write_text("services: {web: {build: ., command: run}}\n")
    (tmp_path / "compose.override.yaml").write_text("")
    (tmp_path / "package.json").write_text("{}")
    done = portsup.run("init")
    assert "compose.override.yaml, which compose would lay over it" in done.stderr
    assert "package.json beside it" in done.stderr


def test_questions(portsup_home: Home, portsup: Portsup, tmp_path: Path) -> None:
    """A terminal is asked, service after service; a wrong name is asked for again."""
    terminal = Terminal([*COMMAND, "init"], tmp_path, portsup_home.environ)
    try:
        answers = ["", "python3 -m http.server", "8123", "9lives", "job", "sleep 600 && echo x", "", ""]
        terminal.type("".join(f"{answer}\r" for answer in answers).encode())
        wait_until(lambda: "wrote services.toml: web, job" in terminal.screen, 20, "the file")
        assert "a name has letters, digits" in terminal.screen
    finally:
        terminal.close()
    plan = {one["name"]: one for one in portsup.ask("check")["services"]}
    assert plan["web"]["pools"]["port"]["ports"][0] == 8123 and plan["web"]["command"][-1] == "${port}"
    assert plan["job"]["shell"] and not plan["job"]["pools"]
