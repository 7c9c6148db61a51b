"""Each command's help has examples, and each option can come from the environment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from supervisor.cli.main import COMMANDS, cli, main
from supervisor.cli.options import InstanceNumber

every_command = pytest.mark.parametrize("name", COMMANDS)


def command(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    return found


def options(name: str) -> Iterator[click.Option]:
    for parameter in command(name).params:
        if isinstance(parameter, click.Option):
            yield parameter


@every_command
def test_help_has_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One line each, as it would be typed."""
    assert main([name, "--help"]) == 0
    shown = capsys.readouterr().out
    examples = shown.split("Examples:\n")[1].splitlines()
    assert all(f"portsup {name}" in line for line in examples)


NEVER_INHERITED = {("down", "data"), ("down", "yes"), ("mcp", "allow_changes")}
"""They remove files for good, or let others change something."""


@every_command
def test_each_option_can_come_from_the_environment(name: str) -> None:
    """PORTSUP_ and the long name, and the help says so."""
    for option in options(name):
        if (name, option.name) in NEVER_INHERITED:
            assert option.envvar is None
            continue
        long = max(option.opts, key=len).removeprefix("--")
        names = [option.envvar] if isinstance(option.envvar, str) else list(option.envvar or ())
        assert f"PORTSUP_{long.upper().replace('-', '_')}" in names, option.name
        assert option.show_envvar and option.help


@every_command
def test_the_same_letter_means_the_same(name: str) -> None:
    """-i and -n everywhere; -f is --follow where there is something to follow."""
    letters = {letter: max(option.opts, key=len) for option in options(name) for letter in option.opts}
    expected = {"-i": "--instance", "-n": "--lines", "-f": "--follow" if name == "logs" else "--file"}
    assert {
        letter: long for letter, long in letters.items() if letter in expected and long != expected[letter]
    } == {}


@every_command
def test_first_line_of_help_is_the_table_s(name: str) -> None:
    """`portsup --help`, which imports no command, says what the command itself says."""
    text = command(name).help or ""
    verb = COMMANDS[name].help.split()[0]
    assert text.split()[0] == verb


def test_importing_a_command_is_what_its_entry_says() -> None:
    """Each command calls itself by its name in the table."""
    assert {name: command(name).name for name in COMMANDS} == {name: name for name in COMMANDS}


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("42", 42), ("auto", "auto")])
def test_instance_numbers(text: str, number: object) -> None:
    """From 1, or auto where that is allowed."""
    assert InstanceNumber(auto=True).convert(text, None, None) == number


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "", "٣", "1 ", "AUTO"])
def test_wrong_instance_numbers(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises(click.BadParameter):
        InstanceNumber(auto=True).convert(text, None, None)


@pytest.mark.parametrize(
    "name", [name for name in COMMANDS if any(option.name == "instance" for option in options(name))]
)
def test_two_instances_are_not_one(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A second -i is refused, instead of silently winning over the first."""
    assert main([name, "-i", "1", "--instance", "2", "word"]) == 2
    assert "-i/--instance names one instance, not 1 and 2" in capsys.readouterr().err


def test_options_from_the_environment_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """PORTSUP_FILE, PORTSUP_JSON and, less strongly than --all, PORTSUP_INSTANCE."""
    (tmp_path / "services.toml").write_text("")
    monkeypatch.setenv("PORTSUP_LOCK_DIR", os.fspath(tmp_path / "locks"))
    monkeypatch.setenv("PORTSUP_FILE", os.fspath(tmp_path))
    monkeypatch.setenv("PORTSUP_JSON", "1")
    monkeypatch.setenv("PORTSUP_INSTANCE", "7")
    assert main(["status"]) == 1
    assert capfd.readouterr().err.startswith(f"portsup: instance 7 of {tmp_path} is not up")
    assert main(["status", "--all"]) == 0
    assert capfd.readouterr().out == '{"schema": 1, "instances": []}\n'


@pytest.mark.parametrize(
    ("variable", "value", "arguments", "code", "said"),
    [
        ("PORTSUP_ALL", "1", ["status", "-i", "7"], 1, "instance 7 of"),
        ("PORTSUP_ALL", "1", ["down", "-i", "7"], 1, "instance 7 of"),
        ("PORTSUP_WATCH", "1", ["status", "--json"], 0, '{"schema": 1'),
        ("PORTSUP_INSTANCE", "auto", ["status"], 0, "no instance of"),
        ("PORTSUP_INSTANCE", "auto", ["down"], 1, "no instance of"),
        ("PORTSUP_INSTANCE", "auto", ["check"], 78, "there are no services"),
    ],
)
def test_what_is_typed_wins(
    variable: str,
    value: str,
    arguments: list[str],
    code: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Over what the environment has for other commands, which is no error."""
    (tmp_path / "services.toml").write_text("")
    monkeypatch.setenv("PORTSUP_LOCK_DIR", os.fspath(tmp_path / "locks"))
    monkeypatch.setenv("PORTSUP_FILE", os.fspath(tmp_path))
    monkeypatch.setenv(variable, value)
    assert main(arguments) == code
    assert said in "".join(capfd.readouterr())


def test_a_number_of_its_own_where_the_environment_says_auto(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """`check` then shows what it shows without a number."""
    (tmp_path / "services.toml").write_text("services.a.command = 'true'")
    monkeypatch.setenv("PORTSUP_LOCK_DIR", os.fspath(tmp_path / "locks"))
    monkeypatch.setenv("PORTSUP_INSTANCE", "auto")
    assert main(["check", "--file", os.fspath(tmp_path)]) == 0
    assert " instance 1, " in capfd.readouterr().out
