"""`portsup logs`: what services printed, read from their files, so that it works without their supervisor."""

from __future__ import annotations

import select
import sys
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import click

from supervisor import paths
from supervisor.cli import target
from supervisor.cli.options import (
    complete_running_services,
    examples,
    instance_option,
    long_file_option,
)
from supervisor.cli.output import emit_bytes, has_colour, is_terminal, note
from supervisor.cli.prefix import prefixer, prefixes
from supervisor.cli.tail import Tail
from supervisor.control import client
from supervisor.errors import NotRunning, UsageError
from supervisor.lines import Lines
from supervisor.records import InstanceRecord
from supervisor.terminal import tame

POLL_MS = 100
"""Between two looks at the files that are followed."""

Writer = Callable[[bytes], None]


@click.command(epilog=examples("portsup logs", "portsup logs api-server -n 20", "portsup logs -i 2 -f"))
@click.argument("services", nargs=-1, metavar="[SERVICE...]", shell_complete=complete_running_services)
@instance_option()
@click.option(
    "-f", "--follow", is_flag=True, envvar="PORTSUP_FOLLOW", show_envvar=True, help="Go on as they print."
)
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    envvar="PORTSUP_LINES",
    show_envvar=True,
    help="How many of the last lines of each service.",
)
@long_file_option
def logs(
    services: tuple[str, ...], instance: int | None, follow: bool, lines: int, file: Path | None
) -> None:
    """Print or follow what services printed.

    Of the running instance, else of the one that ran last. One service alone is printed byte for byte;
    several get their name before each line. A terminal gets text and colours, no other control codes.
    """
    folder, known = _source(target.find_config(file), instance)
    names = _chosen(services, known)
    with ExitStack() as stack:
        tails = [stack.enter_context(closing(Tail(paths.service_log(folder, name)))) for name in names]
        writers = _writers(names, known)
        for tail, writer in zip(tails, writers, strict=True):
            for block in tail.last(lines):
                writer(block)
            if not follow and isinstance(writer, Lines):
                writer.finish()
        if follow:
            _follow(list(zip(tails, writers, strict=True)))
        silent = [name for name, tail in zip(names, tails, strict=True) if tail.is_empty()]
        if services or silent == names:  # nobody misses a silent service among all
            for name in silent:
                note(f"{name} has printed nothing")


def _source(config: Path, instance: int | None) -> tuple[Path, list[str]]:
    """The folder of logs that is meant, and the names of its services."""
    try:
        record = target.running(config, instance)
    except NotRunning:
        dead = [record for record in target.of_worktree(config) if instance in (None, record.instance)]
        if not dead:
            return _of_last_run(config, instance)
        record = dead[0]
    return Path(record.logs), _services(record)


def _services(record: InstanceRecord) -> list[str]:
    """Asked of the instance; told by the files where nobody answers."""
    named = [service.name for service in client.snapshot(record).services]
    return sorted(named or (path.stem for path in Path(record.logs).glob("*.log")))


def _of_last_run(config: Path, instance: int | None) -> tuple[Path, list[str]]:
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
    return last, sorted(service.name for service in stack.services)


def _last_written(logs: Path) -> float:
    return max((file.stat().st_mtime for file in logs.iterdir()), default=0.0)


def _chosen(services: Sequence[str], known: Collection[str]) -> list[str]:
    """`services` without doubles, or all. Raises UsageError for one that is not known."""
    unknown = [name for name in services if name not in known]
    if unknown:
        raise UsageError(f"there is no service {unknown[0]!r}", hint=f"there are: {', '.join(known)}")
    return list(dict.fromkeys(services)) or list(known)


def _writers(names: Sequence[str], known: Sequence[str]) -> Sequence[Writer]:
    """For each of `names` what takes its output, block by block."""
    alone, terminal, colour = len(names) == 1, is_terminal(sys.stdout), has_colour(sys.stdout)
    if alone and not terminal:
        return [emit_bytes]
    show = partial(tame, styles=colour) if terminal else bytes
    before = [b""] if alone else prefixes(names, known, colour=colour)
    return [prefixer(prefix, emit_bytes, show) for prefix in before]


def _follow(followed: Sequence[tuple[Tail, Writer]]) -> None:
    """Pass on what is added, a block of each in turn, until interrupted or until the reader goes away."""
    reader = select.poll()
    if sys.stdout is not None:
        reader.register(sys.stdout.fileno(), 0)  # errors only: POLLERR is a pipe that nobody reads
    while True:
        found = [(writer, block) for tail, writer in followed if (block := tail.more())]
        for writer, block in found:
            writer(block)
        if reader.poll(0 if found else POLL_MS):
            raise BrokenPipeError
