"""Options that several commands share, defined once. Each can come from PORTSUP_<OPTION>."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from supervisor.cli.output import printable
from supervisor.errors import UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

F = TypeVar("F", bound=Callable[..., Any])

AUTO = "auto"
"""The lowest free instance number, for the commands that start one."""


class InstanceNumber(click.ParamType):  # type: ignore[type-arg]  # generic in newer clicks only
    """A number from 1, or "auto" where a command can start an instance."""

    name = "number"

    def __init__(self, *, auto: bool = False) -> None:
        self.auto = auto

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        text = str(value)
        if text == AUTO:
            if not self.auto and not _is_inherited(ctx, param):
                self.fail(f"{AUTO!r} makes sense only where one starts", param, ctx)
            return AUTO
        if text.isascii() and text.isdigit() and int(text) >= 1:
            return int(text)
        allowed = f"a number from 1, or {AUTO!r}" if self.auto else "a number from 1"
        return self.fail(f"{printable(text)!r} is not {allowed}", param, ctx)

    def get_metavar(self, *_: Any, **__: Any) -> str:
        return f"N|{AUTO}" if self.auto else "N"

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002 - click's signature
        incomplete: str,
    ) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        from supervisor.cli.candidates import instance_numbers

        auto = self.auto and AUTO.startswith(incomplete)
        first = [CompletionItem(AUTO, help="the lowest free number")] if auto else []
        return [*first, *instance_numbers(ctx, incomplete)]


def instance_option(*, auto: bool = False, default: int | None = None) -> Callable[[F], F]:
    """`-i/--instance`, as the parameter `instance`: int, "auto" if that is allowed, or `default`."""
    return click.option(
        "-i",
        "--instance",
        type=InstanceNumber(auto=auto),
        multiple=True,
        callback=_only_one,
        default=None if default is None else [default],
        show_default=default is not None,
        envvar="PORTSUP_INSTANCE",
        show_envvar=True,
        help="Which instance.",
    )


def _is_inherited(ctx: click.Context | None, param: click.Parameter | None) -> bool:
    """Whether the value comes from the environment."""
    if ctx is None or param is None or param.name is None:
        return False
    return ctx.get_parameter_source(param.name) is click.core.ParameterSource.ENVIRONMENT


def _only_one(_ctx: click.Context, param: click.Parameter, numbers: Sequence[int | str]) -> int | str | None:
    """Of several, click would take the last and drop the others in silence. An `auto` that the
    environment has for `up` names none elsewhere."""
    if len(numbers) > 1:
        given = " and ".join(map(str, numbers))
        raise UsageError(f"-i/--instance names one instance, not {given}", hint="run it once for each")
    assert isinstance(param.type, InstanceNumber)
    if numbers and (numbers[0] != AUTO or param.type.auto):
        return numbers[0]
    return param.default[0] if isinstance(param.default, Sequence) else None


def _file_option(*names: str) -> Callable[[F], F]:
    return click.option(
        *names,
        type=click.Path(path_type=Path),
        metavar="PATH",
        envvar="PORTSUP_FILE",
        show_envvar=True,
        help="The services.toml to use; default: the nearest one, here or in a folder above.",
    )


file_option = _file_option("-f", "--file")
"""`-f/--file`, as the parameter `file`: Path or None."""

long_file_option = _file_option("--file")
"""The same, for a command whose `-f` means something else."""

json_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    envvar="PORTSUP_JSON",
    show_envvar=True,
    help="Print JSON.",
)
"""`--json`, as the parameter `as_json`."""


class _Seconds(click.FloatRange):
    """Some time, which sockets and clocks can reckon with. NaN is inside every range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        seconds = super().convert(value, param, ctx)
        if math.isnan(seconds):
            self.fail(f"{seconds} is not in the range {self._describe_range()}.", param, ctx)
        return seconds


SECONDS = _Seconds(min=0, min_open=True, max=366 * 24 * 3600)


def timeout_option(default: float | None, unless: str = "") -> Callable[[F], F]:
    """`--timeout`, as the parameter `timeout`: seconds, or None; `unless` says what holds then."""
    return click.option(
        "--timeout",
        type=SECONDS,
        default=default,
        show_default=default is not None,
        metavar="SECONDS",
        envvar="PORTSUP_TIMEOUT",
        show_envvar=True,
        help=f"How long to wait{unless}.",
    )


def count_option(help_text: str) -> Callable[[F], F]:
    """`--count K`, for several instances at once."""
    return click.option(
        "--count",
        type=click.IntRange(1, 500),
        default=1,
        metavar="K",
        envvar="PORTSUP_COUNT",
        show_envvar=True,
        help=help_text,
    )


def ready_timeout_option(help_text: str) -> Callable[[F], F]:
    """`--timeout SECONDS`, for services that have timeouts of their own."""
    return click.option(
        "--timeout",
        type=SECONDS,
        metavar="SECONDS",
        envvar="PORTSUP_TIMEOUT",
        show_envvar=True,
        help=help_text,
    )


def complete_running_services(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """For an argument that names services of a running instance."""
    from supervisor.cli.candidates import running_services

    return running_services(ctx, param, incomplete)


def complete_written_services(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """For one that names services of services.toml."""
    from supervisor.cli.candidates import written_services

    return written_services(ctx, param, incomplete)


services_argument = click.argument(
    "services",
    nargs=-1,
    required=True,
    metavar="SERVICE...",
    shell_complete=complete_running_services,
)
"""One or more services, as the parameter `services`."""


def examples(*lines: str) -> str:
    """An epilog that click prints as it stands."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def gives_way(ctx: click.Context, strong: str, weak: str, clash: str) -> str:
    """Of two parameters that exclude each other and are both given, the one to leave out: what is typed
    wins over what the environment has, else `strong` over `weak`. Raises UsageError if both are typed."""
    strong_typed, weak_typed = (named_on_command_line(ctx, name) for name in (strong, weak))
    if strong_typed and weak_typed:
        raise UsageError(clash)
    return strong if weak_typed else weak


def named_on_command_line(ctx: click.Context, parameter: str) -> bool:
    """Whether the user typed it, rather than having inherited it from the environment."""
    return ctx.get_parameter_source(parameter) is click.core.ParameterSource.COMMANDLINE
