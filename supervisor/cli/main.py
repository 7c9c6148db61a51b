"""The command line: which command, and the one place where an error becomes text and an exit code."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import click
from click.core import ParameterSource

from supervisor import __version__
from supervisor.cli import garbage
from supervisor.cli.output import (
    buffer_stdout,
    has_colour,
    note,
    printable,
    silence_stdout,
    unwritable_stdout,
)
from supervisor.errors import MORE_DESCRIPTORS, NO_DESCRIPTORS, ExitCode, PortsupError, UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

SIGPIPE_EXIT = 141
"""128 + SIGPIPE: what a shell shows for `git log | head` too. Python ignores the signal and raises
BrokenPipeError instead, so the code that the caller would have seen is returned by hand."""


PROGRAM = "portsup"

ASKED = "_PORTSUP_COMPLETE"
"""Set by the script of `portsup completion` to what the shell asks, as "bash_complete": click's protocol."""


class Entry(NamedTuple):
    """Where a command lives, and its line in `portsup --help`, known without importing it."""

    module: str
    attribute: str
    help: str


COMMANDS: dict[str, Entry] = {
    "up": Entry("supervisor.cli.up", "up", "Start an instance of the stack."),
    "down": Entry("supervisor.cli.down", "down", "Stop an instance and give its ports back."),
    "status": Entry("supervisor.cli.status", "status", "Show this worktree's instances and their services."),
    "ps": Entry("supervisor.cli.ps", "ps", "List every instance of every stack on the machine."),
    "top": Entry("supervisor.cli.top", "top", "Watch and steer all instances in the terminal."),
    "logs": Entry("supervisor.cli.logs", "logs", "Print or follow what services printed."),
    "attach": Entry("supervisor.cli.attach", "attach", "Give the keyboard to a service that has a terminal."),
    "start": Entry("supervisor.cli.units", "start", "Start services of a running instance."),
    "stop": Entry("supervisor.cli.units", "stop", "Stop services of a running instance."),
    "restart": Entry("supervisor.cli.units", "restart", "Restart services of a running instance."),
    "reload": Entry("supervisor.cli.reload", "reload", "Apply what has changed in services.toml."),
    "env": Entry("supervisor.cli.env", "env", "Print the instance's variables."),
    "exec": Entry("supervisor.cli.exec", "exec_", "Run a command with the instance's variables."),
    "run": Entry("supervisor.cli.run", "run", "Run a command with an instance that is there for it alone."),
    "check": Entry("supervisor.cli.check", "check", "Check services.toml and show the plan for an instance."),
    "init": Entry("supervisor.cli.init", "init", "Write a services.toml from what the project has."),
    "why": Entry("supervisor.cli.why", "why", "Say who holds a port, and what to do next."),
    "prune": Entry("supervisor.cli.prune", "prune", "Clear what dead supervisors left behind."),
    "serve": Entry("supervisor.cli.serve", "serve", "Serve the API of all instances over HTTP."),
    "mcp": Entry("supervisor.cli.mcp", "mcp", "Serve coding agents over the Model Context Protocol."),
    "doctor": Entry("supervisor.cli.doctor", "doctor", "Check what portsup needs of this machine."),
    "schema": Entry("supervisor.cli.schema", "schema", "Print a JSON Schema of services.toml, for editors."),
    "completion": Entry(
        "supervisor.cli.completion", "completion", "Print the script that makes a shell complete."
    ),
}


NEVER_SUGGESTED = frozenset({"down", "prune"})
"""They end what runs: not to be called on a guess."""

CLOSE = 0.75
"""How alike (difflib's ratio) a mistyped command and the one that was meant must be."""


class LazyGroup(click.Group):
    """A group that imports a command's module when that command is called, not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command = getattr(import_module(entry.module), entry.attribute)
        garbage.search_from_now_on()
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            raise _no_such_command(args[0])
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """click's own would import every command to ask for its help."""
        from click.shell_completion import CompletionItem

        names = [name for name in COMMANDS if name.startswith(incomplete)]
        commands = [CompletionItem(name, help=COMMANDS[name].help) for name in names]
        return [*commands, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


def _no_such_command(name: str) -> UsageError:
    from difflib import get_close_matches

    candidates = [command for command in COMMANDS if command not in NEVER_SUGGESTED]
    close = get_close_matches(name, candidates, n=1, cutoff=CLOSE)
    hint = f"did you mean `portsup {close[0]}`?" if close else "`portsup --help` lists the commands"
    return UsageError(f"there is no command {name!r}", hint=hint)


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="\b\nExamples:\n  portsup up --instance 2\n  portsup status\n  portsup down",
)
@click.version_option(__version__, prog_name=PROGRAM)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Run N copies of one stack of services side by side, and never let two of them meet on a port."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        ctx.exit(ExitCode.USAGE)


def run() -> NoReturn:
    """The console script."""
    if question := os.environ.get(ASKED):
        sys.exit(_answer_shell(question))
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    buffer_stdout()
    code = main(sys.argv[1:])
    garbage.end_without_search()
    sys.exit(code)


def _answer_shell(question: str) -> int:
    """Ctrl-C ends it in silence, as `__main__.main` has it."""
    from supervisor.cli.completion import answer

    code = answer(question)
    garbage.end_without_search()
    return code


def main(args: Sequence[str]) -> int:
    """Run one command line and return its exit code. Never raises an Exception."""
    try:
        refuse_windows(os.name)
        with cli.make_context(PROGRAM, list(args)) as ctx:
            cli.invoke(ctx)
        return ExitCode.OK
    except click.exceptions.Exit as done:
        return done.exit_code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        silence_stdout()
        return SIGPIPE_EXIT
    except (Exception, click.exceptions.Abort) as failure:
        return fail(unwritable_stdout() or failure)


def refuse_windows(os_name: str) -> None:
    """Raises PortsupError on Windows: file locks that children inherit, sessions and signals are POSIX's."""
    if os_name == "nt":
        raise PortsupError(
            "portsup needs POSIX sessions, signals and file locks, which Windows does not have",
            hint="run it in WSL 2",
        )


def fail(failure: BaseException, write: Callable[[str], None] | None = None) -> int:
    """Say by `write` (default: to stderr) what went wrong; returns the exit code."""
    if os.environ.get("PORTSUP_DEBUG", "0") not in ("", "0"):
        _print_traceback(failure)
    error = as_portsup_error(failure)
    lines = render(error, colour=has_colour(sys.stderr))
    (write or _write)("".join(f"{line}\n" for line in lines))
    return error.exit_code


def as_portsup_error(failure: BaseException) -> PortsupError:
    """Whatever a command raised, in the shape in which it is shown."""
    if isinstance(failure, PortsupError):
        return failure
    if isinstance(failure, click.exceptions.Abort):
        return PortsupError("interrupted", exit_code=ExitCode.INTERRUPTED)
    if isinstance(failure, click.ClickException):
        return _from_click(failure)
    if isinstance(failure, OSError) and failure.errno in NO_DESCRIPTORS:
        return PortsupError("no file descriptors are left", hint=MORE_DESCRIPTORS)
    return PortsupError(
        f"internal error: {type(failure).__name__}: {failure}",
        hint="this is a fault of portsup; PORTSUP_DEBUG=1 shows where",
        exit_code=ExitCode.INTERNAL,
    )


def _from_click(failure: click.ClickException) -> PortsupError:
    first, *details = _message_of_click(failure).strip().splitlines() or [""]
    ctx = getattr(failure, "ctx", None)
    path = ctx.command_path if ctx is not None else PROGRAM
    message = first.removesuffix(".")
    return UsageError(message, details=[line.strip() for line in details], hint=f"{path} --help")


def _message_of_click(failure: click.ClickException) -> str:
    if isinstance(failure, click.BadParameter) and not isinstance(failure, click.MissingParameter):
        return _origin(failure) + _complaint(failure)
    text = failure.format_message()
    return text[:1].lower() + text[1:]


def _origin(failure: click.BadParameter) -> str:
    """ "--count: ", "PORT: ", or "--count (from PORTSUP_COUNT): " where no one typed it."""
    param, ctx = failure.param, failure.ctx
    if param is None:
        return ""
    name = max(param.opts, key=len) if isinstance(param, click.Option) else param.human_readable_name
    if ctx is None or ctx.get_parameter_source(param.name or "") is not ParameterSource.ENVIRONMENT:
        return f"{name}: "
    variables = [param.envvar] if isinstance(param.envvar, str) else param.envvar or ()
    return f"{name} (from {next(filter(os.environ.get, variables))}): "


def _complaint(failure: click.BadParameter) -> str:
    """click's own words, but for ranges: it writes those as inequalities."""
    kind = failure.param.type if failure.param is not None else None
    if not isinstance(kind, click.IntRange | click.FloatRange):
        return failure.message
    value = failure.message.rpartition(" is not ")[0]
    what = "a whole number" if isinstance(kind, click.IntRange) else "a number"
    least = f" {'above' if kind.min_open else 'from'} {kind.min}" if kind.min is not None else ""
    most = f" to {kind.max}" if kind.max is not None else ""
    return f"{value} is not {what}{least}{most}"


def render(error: PortsupError, *, colour: bool) -> list[str]:
    """The lines of an error: the message, each detail indented by two spaces, the hint."""
    bold_red, bold, reset = ("\x1b[1;31m", "\x1b[1m", "\x1b[0m") if colour else ("", "", "")
    message, *more = error.message.splitlines() or [""]
    details = [*more, *(line for detail in error.details for line in detail.splitlines())]
    lines = [f"{bold_red}portsup:{reset} {printable(message)}"]
    lines += [f"  {printable(line)}" for line in details]
    if error.hint:
        lines.append(f"{bold}hint:{reset} {printable(error.hint)}")
    return lines


def _write(lines: str) -> None:
    """Write rendered lines, whose colours are ours. Nobody can be told that stderr is gone."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(lines)
        sys.stderr.flush()
    except OSError:
        pass


def _print_traceback(failure: BaseException) -> None:
    import traceback

    for line in "".join(traceback.format_exception(failure)).splitlines():
        note(line)
