"""What loads, and is probably not meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.config.load import load


def warnings(folder: Path, text: str) -> list[str]:
    file = folder / "services.toml"
    file.write_text(text)
    return [str(warning).removeprefix(f"{file}:") for warning in load(file).warnings]


def test_a_missing_folder_is_only_doubted(tmp_path: Path) -> None:
    """A dependency may make it before the service starts."""
    (warning,) = warnings(tmp_path, "[services.a]\ncommand = 'x'\ncwd = 'build'")
    assert warning.startswith("3: services.a.cwd: there is no such folder yet (")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            "command = 'serve -p $PORT'",
            (
                "3: services.a.command: no shell runs: $PORT is passed as it is"
                " (write ${port}, or set shell = true)"
            ),
        ),
        (
            "command = 'serve $PORT $M_PORT'",
            (
                "3: services.a.command: no shell runs: $PORT, $M_PORT are passed as they are"
                " (write ${port} and ${a.m.port}, or set shell = true)"
            ),
        ),
        (
            "command = 'serve $HOME'",
            "3: services.a.command: no shell runs: $HOME is passed as it is (set shell = true)",
        ),
        (
            "command = 'cd web && serve $PORT'",
            "3: services.a.command: no shell runs: $PORT, && are passed as they are (set shell = true)",
        ),
        (
            "command = 'x'\nready = { exec = 'curl :$PORT' }",
            (
                "4: services.a.ready.exec: no shell runs: $PORT is passed as it is"
                ' (write ${port}, or use ["sh", "-c", "…"])'
            ),
        ),
    ],
)
def test_a_command_for_a_shell_that_does_not_run(tmp_path: Path, lines: str, said: str) -> None:
    """The service's own ports are named as they are called here."""
    head = "[services.a]\npools.m = { offset = 5, size = 1 }\n"
    assert warnings(tmp_path, f"{head}{lines}\npool = {{ offset = 1, size = 1 }}") == [said]


@pytest.mark.parametrize(
    "lines",
    [
        "command = 'cd web && serve $PORT'\nshell = true",
        "command = ['serve', '$PORT', '&&', '|']",
        "command = 'serve ${env:HOME}'",
        "command = \"/bin/sh -c 'exec serve $PORT | cat'\"",
        "command = 'bash -c \"exec serve $PORT\"'",
        "command = 'x'\nready = { exec = ['sh', '-c', 'test $PORT'] }",
    ],
)
def test_a_command_that_is_meant_so(tmp_path: Path, lines: str) -> None:
    """A list is taken as it is, and where a shell runs it sees to such things itself."""
    assert warnings(tmp_path, f"[services.a]\n{lines}") == []
