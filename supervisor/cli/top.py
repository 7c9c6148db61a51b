"""`portsup top`: the instances, live in the terminal, with keys to start and stop services."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from supervisor import paths
from supervisor.cli import stack_file
from supervisor.cli.options import examples, file_option, instance_option
from supervisor.cli.output import is_terminal
from supervisor.errors import UsageError


@click.command(epilog=examples("portsup top", "portsup top --here", "portsup top --instance 2"))
@instance_option()
@click.option(
    "--here", is_flag=True, envvar="PORTSUP_HERE", show_envvar=True, help="This worktree's instances only."
)
@file_option
@click.pass_context
def top(ctx: click.Context, instance: int | None, here: bool, file: Path | None) -> None:
    """Watch all instances of this machine and steer their services, in the terminal.

    With --file: only the instances of that services.toml; with --instance: only this worktree's one. The
    key ? shows what the others do.
    """
    _need_terminal()
    config = stack_file.find_config(file) if here or file is not None or instance is not None else None
    try:
        from supervisor.tui.run import run
        from supervisor.tui.watcher import Scope
    except ModuleNotFoundError as missing:
        from supervisor.extras import missing_extra

        raise missing_extra("draw", "tui", missing) from missing
    ctx.exit(run(Scope(paths.lock_folder(), config, instance), _nothing(config)))


def _need_terminal() -> None:
    """Textual reads keys from stdin, asks stdout for its size and draws on stderr. Raises UsageError."""
    streams = {"standard input": sys.stdin, "standard output": sys.stdout, "standard error": sys.stderr}
    missing = [name for name, stream in streams.items() if not is_terminal(stream)]
    if missing or os.environ.get("TERM") == "dumb":
        what = f"{missing[0]} is none" if missing else "this one (TERM=dumb) can't be drawn on"
        raise UsageError(
            f"top needs a terminal, and {what}",
            hint="`portsup status --all --watch` prints a table each second, `portsup status --json` once",
        )


def _nothing(config: Path | None) -> str:
    where = "on this machine" if config is None else f"of {config.parent}"
    return f"no instance {where} is up; start one with `portsup up`"
