"""Whatever a command raises becomes a few lines and an exit code, and never a traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import click
import pytest

from supervisor import __version__
from supervisor.cli import main as front
from supervisor.cli.main import COMMANDS, Entry, main, refuse_windows, render
from supervisor.errors import ConfigError, InstanceTaken, NoFreePort, PortsupError, UsageError

Raising = Callable[[BaseException], None]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Raising]:
    """Adds a command `fail` that raises what it is told."""
    failure: list[BaseException] = []

    @click.command()
    def fail() -> None:
        raise failure[0]

    monkeypatch.setattr(sys.modules[__name__], "fail", fail, raising=False)
    monkeypatch.setitem(COMMANDS, "fail", Entry(__name__, "fail", "Fail."))
    monkeypatch.delenv("PORTSUP_DEBUG", raising=False)
    yield failure.append


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (PortsupError("no"), 1),
        (UsageError("no"), 2),
        (NoFreePort("no"), 69),
        (InstanceTaken("no"), 75),
        (ConfigError("no"), 78),
        (PortsupError("no", exit_code=127), 127),
        (click.UsageError("No."), 2),
        (click.ClickException("No"), 2),
    ],
)
def test_each_kind_has_its_exit_code(
    failing: Raising, failure: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """The contract of the exit codes, with the message on stderr only."""
    failing(failure)
    assert main(["fail"]) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines()[0] == "portsup: no"


def test_message_details_hint(failing: Raising, capsys: pytest.CaptureFixture[str]) -> None:
    """Details are indented, also those of several lines, and the hint comes last."""
    failing(NoFreePort("no port for api", details=["9000  held", "9001  held\nby two"], hint="free one"))
    assert main(["fail"]) == 69
    assert capsys.readouterr().err.splitlines() == [
        "portsup: no port for api",
        "  9000  held",
        "  9001  held",
        "  by two",
        "hint: free one",
    ]


def test_colour_is_only_paint() -> None:
    """The words are the same."""
    error = PortsupError("no", details=["why"], hint="so")
    coloured = "\n".join(render(error, colour=True))
    plain = "\n".join(render(error, colour=False))
    assert "\x1b[" in coloured and "\x1b" not in plain
    for code in ("\x1b[1;31m", "\x1b[1m", "\x1b[0m"):
        coloured = coloured.replace(code, "")
    assert coloured == plain


def test_words_of_others_cannot_steer_the_terminal() -> None:
    """A stack's name may come from another user's lock file."""
    error = PortsupError("taken by \x1b[2J", details=["a\rb"], hint="\x07")
    assert render(error, colour=False) == [r"portsup: taken by \x1b[2J", "  a", "  b", r"hint: \x07"]


def test_unexpected_exception_is_one_line(failing: Raising, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 70, and how to learn more."""
    failing(ZeroDivisionError("division by zero"))
    assert main(["fail"]) == 70
    assert capsys.readouterr().err.splitlines() == [
        "portsup: internal error: ZeroDivisionError: division by zero",
        "hint: this is a fault of portsup; PORTSUP_DEBUG=1 shows where",
    ]


def test_debug_shows_the_traceback(
    failing: Raising, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the message."""
    monkeypatch.setenv("PORTSUP_DEBUG", "1")
    failing(ZeroDivisionError("division by zero"))
    assert main(["fail"]) == 70
    printed = capsys.readouterr().err
    assert printed.startswith("Traceback (most recent call last)")
    assert "portsup: internal error" in printed


def test_interrupt_is_quiet(failing: Raising, capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C needs no comment."""
    failing(KeyboardInterrupt())
    assert main(["fail"]) == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["stauts"], "there is no command 'stauts'", "did you mean `portsup status`?"),
        (["qqq"], "there is no command 'qqq'", "`portsup --help` lists the commands"),
        (["rum"], "there is no command 'rum'", "`portsup --help` lists the commands"),
        (["prnue"], "there is no command 'prnue'", "`portsup --help` lists the commands"),
        (["dwn"], "there is no command 'dwn'", "`portsup --help` lists the commands"),
        (["--nonsense"], "no such option", "portsup --help"),
        (["status", "--nonsense"], "no such option", "portsup status --help"),
        (["status", "-i", "x"], "portsup: --instance: 'x' is not a number from 1", "portsup status --help"),
        (["status", "-i", "0"], "'0' is not a number from 1", "portsup status --help"),
        (["down", "-i", "auto"], "'auto' makes sense only where", "portsup down --help"),
        (["why", "65536"], "PORT: 65536 is not a whole number from 1 to 65535", "portsup why --help"),
        (["why", "http"], "PORT: 'http' is not a whole number from 1 to 65535", "portsup why --help"),
        (["up", "--count", "foo"], "--count: 'foo' is not a whole number from 1 to 500", "portsup up --help"),
        (
            ["down", "--timeout", "0"],
            "--timeout: 0.0 is not a number above 0 to 31622400",
            "portsup down --help",
        ),
        (
            ["up", "--timeout", "inf"],
            "--timeout: inf is not a number above 0 to 31622400",
            "portsup up --help",
        ),
        (
            ["start", "a", "--timeout", "nan"],
            "--timeout: nan is not a number above 0 to",
            "portsup start --help",
        ),
        (["restart"], "missing argument 'SERVICE...'", "portsup restart --help"),
        (["exec"], "missing argument", "portsup exec --help"),
        (["env", "--format", "xml"], "'xml' is not one of", "portsup env --help"),
        (["logs", "-n", "-1"], "--lines: -1 is not a whole number from 0", "portsup logs --help"),
        (["status", "--all", "-i", "1"], "use one of them", None),
        (["down", "--all", "-i", "1"], "use one of them", None),
        (["status", "--watch", "--json"], "leave out --json", None),
    ],
)
def test_wrong_command_lines(
    arguments: list[str], message: str, hint: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2, what is wrong, and where to read on."""
    assert main(arguments) == 2
    first, *rest = capsys.readouterr().err.splitlines()
    assert first.startswith("portsup: ") and message in first
    assert rest == ([f"hint: {hint}"] if hint else [])


@pytest.mark.parametrize(
    ("arguments", "variable", "value", "said"),
    [
        (
            ["status"],
            "PORTSUP_INSTANCE",
            "x",
            "--instance (from PORTSUP_INSTANCE): 'x' is not a number from 1",
        ),
        (["serve"], "PORT", "web", "--port (from PORT): 'web' is not a whole number from 1 to 65535"),
        (["status", "-i", "y"], "PORTSUP_INSTANCE", "1", "--instance: 'y' is not a number from 1"),
    ],
)
def test_a_variable_is_named_where_the_value_came_from_it(
    arguments: list[str],
    variable: str,
    value: str,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And only there."""
    for name in ("PORT", "PORTSUP_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, value)
    assert main(arguments) == 2
    assert capsys.readouterr().err.splitlines()[0] == f"portsup: {said}"


def test_serve_without_a_port_says_how(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither --port nor PORT."""
    for name in ("PORT", "PORTSUP_PORT"):
        monkeypatch.delenv(name, raising=False)
    assert main(["serve"]) == 2
    assert "hint: name one with `portsup serve --port 9000`" in capsys.readouterr().err


def test_no_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """With the help, on stderr: a script that lost its argument must not pass."""
    assert main([]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith("Usage: portsup")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """On stdout."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"portsup, version {__version__}\n"


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """In the table's order, with its line."""
    assert main(["--help"]) == 0
    section = capsys.readouterr().out.split("Commands:\n")[1].split("\n\n")[0]
    listed = [line.split(maxsplit=1) for line in section.splitlines()]
    assert [(name, text) for name, text in listed] == [(name, entry.help) for name, entry in COMMANDS.items()]


def test_windows_is_refused_with_a_sentence() -> None:
    """And nothing else is."""
    refuse_windows("posix")
    with pytest.raises(PortsupError, match="Windows"):
        refuse_windows("nt")


def test_every_command_of_the_design_is_there() -> None:
    """What this release promises."""
    promised = (
        "up down status ps top logs attach start stop restart reload env exec run check init why prune serve"
        " mcp doctor schema completion"
    )
    assert " ".join(front.cli.list_commands(click.Context(front.cli))) == promised
