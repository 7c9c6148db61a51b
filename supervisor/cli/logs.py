"""`portsup logs`: what services printed, read from their files, so that it works without their supervisor."""

from __future__ import annotations

import select
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from supervisor import paths
from supervisor.cli import stack_file, target
from supervisor.cli.options import (
    complete_running_services,
    examples,
    gives_way,
    instance_option,
    json_option,
    long_file_option,
    named_on_command_line,
)
from supervisor.cli.output import emit_bytes, has_colour, is_terminal, note
from supervisor.cli.prefix import prefixer, prefixes
from supervisor.cli.since import Since
from supervisor.control import client
from supervisor.errors import NotRunning, UsageError
from supervisor.lines import Lines
from supervisor.records import InstanceRecord
from supervisor.tail import Tail
from supervisor.terminal import tame

if TYPE_CHECKING:
    from supervisor.cli.log_output import Output

POLL_MS = 100
"""Between two looks at the files that are followed."""

LINES = 100
"""Of each service, where nobody says how many or since when."""


class Source(NamedTuple):
    """The logs that are meant."""

    instance: int
    folder: Path
    services: list[str]


@click.command(
    epilog=examples(
        "portsup logs",
        "portsup logs api-server -n 20",
        "portsup logs -i 2 -f",
        "portsup logs --since 10m --json",
    )
)
@click.pass_context
@click.argument("services", nargs=-1, metavar="[SERVICE...]", shell_complete=complete_running_services)
@instance_option()
@click.option(
    "-f", "--follow", is_flag=True, envvar="PORTSUP_FOLLOW", show_envvar=True, help="Go on as they print."
)
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(min=0),
    envvar="PORTSUP_LINES",
    show_envvar=True,
    help=f"How many of the last lines of each service; default: {LINES}, with --since all since then.",
)
@click.option(
    "--since",
    type=Since(),
    envvar="PORTSUP_SINCE",
    show_envvar=True,
    help='Lines from then on: "10m" ago, at "14:30", or at "2026-11-24T10:00".',
)
@click.option(
    "-t",
    "--timestamps",
    is_flag=True,
    envvar="PORTSUP_TIMESTAMPS",
    show_envvar=True,
    help="Show when each line was printed.",
)
@json_option
@long_file_option
def logs(
    ctx: click.Context,
    services: tuple[str, ...],
    instance: int | None,
    follow: bool,
    lines: int | None,
    since: int | None,
    timestamps: bool,
    as_json: bool,
    file: Path | None,
) -> None:
    """Print or follow what services printed.

    Of the running instance, else of the one that ran last. One service alone is printed byte for byte;
    several are merged in order of time and get their name before each line. A terminal gets text and
    colours, no other control codes. With --json each line is an object with time, service, instance and
    line.
    """
    if as_json and timestamps:
        clash = "--json has the times already: leave out --timestamps"
        timestamps = gives_way(ctx, "as_json", "timestamps", clash) == "as_json"
        as_json = not timestamps
    source = _source(stack_file.find_config(file), instance)
    names = _chosen(services, source.services)
    with ExitStack() as stack:
        tails = {
            name: stack.enter_context(closing(_tail(source, name, _lines(ctx, lines, since), since)))
            for name in names
        }
        for name, tail in tails.items():
            if tail.left_out:
                note(f"{name} printed lines at times that nobody knows: they are left out")
        output = _output(source, names, timestamps=timestamps, as_json=as_json)
        output.printed(tails, follow=follow)
        if follow:
            _follow(tails, output)
        silent = [name for name, tail in tails.items() if tail.is_empty()]
        if services or silent == names:  # nobody misses a silent service among all
            for name in silent:
                note(f"{name} has printed nothing")


def _lines(ctx: click.Context, lines: int | None, since: int | None) -> int | None:
    """How many are wanted; None for all. A number that the environment has is no limit to a --since that
    is typed."""
    if since is None:
        return LINES if lines is None else lines
    typed = named_on_command_line(ctx, "lines") or not named_on_command_line(ctx, "since")
    return lines if typed else None


def _tail(source: Source, service: str, lines: int | None, since: int | None) -> Tail:
    return Tail(paths.service_log(source.folder, service), lines=lines, since=since)


def _source(config: Path, instance: int | None) -> Source:
    try:
        record = target.running(config, instance)
    except NotRunning:
        dead = [record for record in target.of_worktree(config) if instance in (None, record.instance)]
        if not dead:
            return _of_last_run(config, instance)
        record = dead[0]
    return Source(record.instance, Path(record.logs), _services(record))


def _services(record: InstanceRecord) -> list[str]:
    """Asked of the instance; told by the files where nobody answers."""
    named = [service.name for service in client.snapshot(record).services]
    return sorted(named or (path.stem for path in Path(record.logs).glob("*.log")))


def _of_last_run(config: Path, instance: int | None) -> Source:
    """Raises ConfigError if services.toml can't be read, NotRunning if the instance never ran."""
    from supervisor.config import load

    stack = load.load(config)
    folder = paths.worktree_folder(config, stack.stack)
    runs = [paths.log_folder(run) for run in folder.glob("*" if instance is None else str(instance))]
    runs = [run for run in runs if run.is_dir()]
    if not runs:
        here = f"of {config.parent}"
        never = (
            f"no instance {here} ever ran" if instance is None else f"instance {instance} {here} never ran"
        )
        raise NotRunning(never, hint="start one with `portsup up`")
    last = max(runs, key=_last_written)
    note(f"instance {last.parent.name} is not up; this is what it printed last")
    return Source(int(last.parent.name), last, sorted(service.name for service in stack.services))


def _last_written(logs: Path) -> float:
    return max((file.stat().st_mtime for file in logs.iterdir()), default=0.0)


def _chosen(services: Sequence[str], known: Collection[str]) -> list[str]:
    """`services` without doubles, or all. Raises UsageError for one that is not known."""
    unknown = [name for name in services if name not in known]
    if unknown:
        raise UsageError(f"there is no service {unknown[0]!r}", hint=f"there are: {', '.join(known)}")
    return list(dict.fromkeys(services)) or list(known)


def _output(source: Source, names: Sequence[str], *, timestamps: bool, as_json: bool) -> Output:
    terminal, colour = is_terminal(sys.stdout), has_colour(sys.stdout)
    show = partial(tame, styles=colour) if terminal else bytes
    alone = len(names) == 1
    if alone and not (timestamps or as_json):
        return _Bytes(prefixer(b"", emit_bytes, show) if terminal else emit_bytes)
    from supervisor.cli import line_forms
    from supervisor.cli.log_output import InOrder

    if as_json:
        return InOrder(names, line_forms.as_json(source.instance))
    before = [b""] if alone else prefixes(names, source.services, colour=colour)
    return InOrder(names, line_forms.plain(dict(zip(names, before, strict=True)), show, times=timestamps))


class _Bytes:
    """One service's output as it is, block by block."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write

    def printed(self, tails: Mapping[str, Tail], *, follow: bool) -> None:
        for tail in tails.values():
            for piece in tail.printed():
                self._write(piece.data)
        if not follow and isinstance(self._write, Lines):
            self._write.finish()

    def more(self, tails: Mapping[str, Tail]) -> bool:
        found = [piece for tail in tails.values() if (piece := tail.more())]
        for piece in found:
            self._write(piece.data)
        return bool(found)


def _follow(tails: Mapping[str, Tail], output: Output) -> None:
    """Pass on what is added, until interrupted or until the reader goes away."""
    reader = select.poll()
    if sys.stdout is not None:
        reader.register(sys.stdout.fileno(), 0)  # errors only: POLLERR is a pipe that nobody reads
    while True:
        found = output.more(tails)
        if reader.poll(0 if found else POLL_MS):
            raise BrokenPipeError
