"""TAB in the real shells: commands, options and their values, services, instance numbers."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from harness import MAY_SKIP, Home, Portsup, wait_until, write_stack
from stand_in import Imposter, Instance, Loop, publish, record, service
from terminal import Terminal

pytestmark = pytest.mark.slow

SHELLS = ("bash", "zsh", "fish")
ASKED = "_PORTSUP_COMPLETE"

every_shell = pytest.mark.parametrize(
    "shell",
    [
        pytest.param(
            name,
            marks=pytest.mark.skipif(
                shutil.which(name) is None and MAY_SKIP, reason=f"needs {name}: apt install {name}"
            ),
        )
        for name in SHELLS
    ],
)


def program(shell: str) -> str:
    found = shutil.which(shell)
    assert found is not None, f"there is no {shell}"
    return found


@pytest.fixture
def environ(portsup_home: Home) -> dict[str, str]:
    """`portsup` is on the PATH, and the shells write their histories and caches into the test's home."""
    own = str(Path(sys.executable).parent)
    path = os.pathsep.join([own, os.environ["PATH"]])
    quiet = {"TERM": "dumb", "HISTFILE": "", "LC_ALL": "C.UTF-8"}
    folder = str(portsup_home.folder)
    return {**portsup_home.environ, "HOME": folder, "ZDOTDIR": folder, "PATH": path, **quiet}


ASK = {
    "bash": """
        eval "$(portsup completion bash)"
        compopt() { echo "$2"; }
        COMP_WORDS=($1 "$2") COMP_CWORD=$(set -- $1; echo $#)
        _portsup_completion portsup
        printf '%s\\n' "${COMPREPLY[@]}"
    """,
    "zsh": """
        compdef() { }; compadd() { print -l -- $completions }
        _describe() { print -l -- ${(P)3} }; _path_files() { print file }
        eval "$(portsup completion zsh)"
        words=(${=1} "$2") CURRENT=$#words
        _portsup_completion
    """,
    "fish": """
        portsup completion fish | source
        complete -C "$argv[1] $argv[2]"
    """,
}
"""How each shell's function is asked: $1 are the words before the cursor, $2 what is typed of the next."""


def ask(
    shell: str, before: str, typed: str, cwd: Path, environ: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    options = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    zero = [] if shell == "fish" else [shell]
    return subprocess.run(
        [program(shell), *options, "-c", ASK[shell], *zero, before, typed],
        cwd=cwd,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def offered(shell: str, line: str, cwd: Path, environ: Mapping[str, str]) -> list[str]:
    """What the shell would offer at the end of `line`, sorted, without descriptions; all in silence."""
    before, _, typed = line.rpartition(" ")
    done = ask(shell, before, typed, cwd, environ)
    assert done.stderr == ""
    separator = ":" if shell == "zsh" else "\t"
    return sorted(word.split(separator)[0] for word in done.stdout.splitlines() if word)


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """A folder below the one with services.toml."""
    services = {name: {"command": "true"} for name in ("api-server", "api-worker", "db")}
    write_stack(tmp_path, services, base_port=6000)
    (tmp_path / "deep").mkdir()
    return tmp_path / "deep"


@contextlib.contextmanager
def running(home: Home, config: Path, *numbers: int) -> Iterator[None]:
    """Instances of `config`, as far as the lock folder and their control sockets tell."""
    with Loop() as loop:
        for number in numbers:
            shown = record(home.folder, config=str(config), instance=number, instance_id=f"test-{number}-x")
            publish(home.locks, shown)
            has = (service("api-server"), service("worker"))
            loop.serve(Path(shown.socket), Instance(shown, has).dispatch)
        yield


@every_shell
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("portsup sta", ["status", "start"]),
        ("portsup --ver", ["--version"]),
        ("portsup up ", ["api-server", "api-worker", "db"]),
        ("portsup up api-", ["api-server", "api-worker"]),
        ("portsup restart api-server api-", ["api-worker"]),
        ("portsup up -i a", ["auto"]),
        ("portsup up --inst", ["--instance"]),
        ("portsup env --format ", ["dotenv", "json", "shell"]),
        ("portsup completion ", ["bash", "zsh", "fish"]),
        ("portsup nonsense ", []),
        ("portsup up --count x ", ["api-server", "api-worker", "db"]),
    ],
)
def test_words(shell: str, line: str, expected: list[str], stack: Path, environ: dict[str, str]) -> None:
    """Commands, options, the values of options, and the services of the nearest services.toml."""
    assert offered(shell, line, stack, environ) == sorted(expected)


@every_shell
def test_files(shell: str, stack: Path, environ: dict[str, str]) -> None:
    """The shell itself completes the value of -f."""
    (stack / "other.toml").touch()
    found = offered(shell, "portsup status -f oth", stack, environ)
    assert found == {"bash": ["default"], "zsh": ["file"], "fish": ["other.toml"]}[shell]


@every_shell
def test_running_instances(shell: str, stack: Path, environ: dict[str, str], portsup_home: Home) -> None:
    """Their numbers, and the names of the services that they have, whatever services.toml says by now."""
    with running(portsup_home, stack.parent / "services.toml", 2, 21):
        assert offered(shell, "portsup down -i ", stack, environ) == ["2", "21"]
        assert offered(shell, "portsup up -i ", stack, environ) == ["2", "21", "auto"]
        assert offered(shell, "portsup logs -i 2", stack, environ) == ["2", "21"]
        (stack.parent / "services.toml").write_text("[broken")
        assert offered(shell, "portsup logs -i 2 ", stack, environ) == ["api-server", "worker"]


@every_shell
@pytest.mark.parametrize("content", ["[broken", "services = 5", "\xff", None])
def test_silence(shell: str, content: str | None, environ: dict[str, str], tmp_path: Path) -> None:
    """A services.toml that can't be read, or none at all, is nothing to talk about within a line."""
    if content is not None:
        (tmp_path / "services.toml").write_bytes(content.encode("latin-1"))
    for line in ("portsup up ", "portsup logs -i ", "portsup stop "):
        assert offered(shell, line, tmp_path, environ) == []


@every_shell
def test_names_that_are_none(shell: str, environ: dict[str, str], tmp_path: Path) -> None:
    """A stranger's services.toml doesn't write commands into the line."""
    keys = ("'x; date'", "'$(date)'", '"a\\u001b[2Jb"', "'a b'", "fine")
    (tmp_path / "services.toml").write_text("".join(f"[services.{key}]\n" for key in keys))
    assert offered(shell, "portsup up ", tmp_path, environ) == ["fine"]


@every_shell
def test_a_lock_folder_that_is_none(
    shell: str, stack: Path, environ: dict[str, str], portsup_home: Home
) -> None:
    """Neither is that; what services.toml says is still offered."""
    portsup_home.locks.write_text("")
    assert offered(shell, "portsup stop ", stack, environ) == ["api-server", "api-worker", "db"]


START = {
    "bash": ["--norc", "--noprofile", "-i"],
    "zsh": ["-f", "-i"],
    "fish": ["--no-config", "-i"],
}
PREPARE = {
    "bash": "PS1='% '; eval \"$(portsup completion bash)\"; echo rea''dy\n",
    "zsh": "autoload -Uz compinit; compinit -u -D; eval \"$(portsup completion zsh)\"; echo rea''dy\n",
    "fish": "function fish_prompt; echo '% '; end; portsup completion fish | source; echo rea''dy\n",
}


@every_shell
def test_the_key_itself(shell: str, stack: Path, environ: dict[str, str]) -> None:
    """TAB on a real terminal fills in what is missing of the word."""
    with closing(Terminal([program(shell), *START[shell]], stack, environ)) as terminal:
        terminal.type(PREPARE[shell].encode())
        wait_until(lambda: "ready" in terminal.screen, 20, f"{shell} to be ready")
        terminal.type(b"portsup restart api-s")
        terminal.type(b"\t")
        wait_until(lambda: "api-server" in terminal.screen, 20, f"{shell} to fill in the word")


def test_help_of_commands_needs_no_command(environ: dict[str, str], tmp_path: Path) -> None:
    """Each has its line beside it in shells that show such, and none is imported for it."""
    script = """
import sys
from supervisor.cli.completion import answer
answer("zsh_complete")
print(*sys.modules)
"""
    asked = {**environ, "COMP_WORDS": "portsup sche", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=asked, capture_output=True, text=True, check=True
    )
    *answer, modules = done.stdout.splitlines()
    assert answer == ["plain", "schema", "Print a JSON Schema of services.toml, for editors."]
    commands = {
        "supervisor.cli.main",
        "supervisor.cli.completion",
        "supervisor.cli.options",
        "supervisor.cli.output",
    }
    ours = {name for name in modules.split() if name.startswith("supervisor.cli.")}
    assert ours <= commands | {"supervisor.cli.garbage"}


def test_a_frozen_supervisor_is_not_waited_for(portsup: Portsup, stack: Path, portsup_home: Home) -> None:
    """One that doesn't answer costs a moment, and the names come from services.toml."""
    shown = record(portsup_home.folder, config=str(stack.parent / "services.toml"))
    publish(portsup_home.locks, shown)
    with Imposter(shown.socket, None):
        asked: dict[str, Any] = {ASKED: "bash_complete", "COMP_WORDS": "portsup stop ", "COMP_CWORD": "2"}
        done = portsup.run(cwd=stack, **asked)
    assert done.stdout.splitlines() == ["plain,api-server", "plain,api-worker", "plain,db"]


@pytest.mark.parametrize("question", ["bash_complete", "nonsense", "tcsh_complete", "bash_"])
def test_questions_that_make_no_sense(portsup: Portsup, question: str) -> None:
    """Without the variables of a shell, or for one that there isn't: silence, and no command is run."""
    asked: dict[str, Any] = {ASKED: question}
    done = portsup.run("down", "--all", **asked)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_only_shells_that_there_are(portsup: Portsup) -> None:
    """Others are refused with a list."""
    done = portsup.run("completion", "tcsh")
    assert done.returncode == 2
    assert all(name in done.stderr for name in SHELLS)
