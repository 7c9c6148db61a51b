"""`portsup init`: a services.toml out of what the project has already."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from supervisor.cli.options import examples
from supervisor.cli.output import emit, is_terminal, note
from supervisor.cli.sources import SOURCES, find_source, read_source
from supervisor.config.load import FILE_NAME
from supervisor.errors import PortsupError, UsageError

if TYPE_CHECKING:
    from supervisor.importing.draft import Draft


@click.command(
    epilog=examples("portsup init --dry-run", "portsup init", "portsup init web/docker-compose.yml --force")
)
@click.argument("source", required=False, type=click.Path(path_type=Path))
@click.option(
    "-f",
    "--file",
    type=click.Path(path_type=Path),
    metavar="PATH",
    envvar="PORTSUP_FILE",
    show_envvar=True,
    help="The file to write; default: services.toml beside SOURCE.",
)
@click.option(
    "--dry-run", is_flag=True, envvar="PORTSUP_DRY_RUN", show_envvar=True, help="Print it, and write nothing."
)
@click.option(
    "--force", is_flag=True, envvar="PORTSUP_FORCE", show_envvar=True, help="Replace a file that is there."
)
def init(source: Path | None, file: Path | None, dry_run: bool, force: bool) -> None:
    """Write a services.toml from a Procfile, a compose file or package.json.

    SOURCE is one of those; default: the first one in this folder. Without any, a terminal is asked. What
    could not be carried over is listed, in the file and on stderr.
    """
    source = source or find_source()
    target = file or (source.parent if source else Path()) / FILE_NAME
    if not (dry_run or force):
        _refuse_to_overwrite(target)
    draft = read_source(source, target.parent) if source else _asked()
    text = _written(draft)
    if dry_run:
        emit(text)
    else:
        write_file(target, text, replace=force)
    for line in draft.report():
        note(f"not carried over: {line}")
    if not dry_run:
        names = ", ".join(service.name for service in draft.live)
        note(f"wrote {target}: {names}; `portsup check` shows what an instance gets")


def _refuse_to_overwrite(target: Path) -> None:
    if os.path.lexists(target):
        raise PortsupError(
            f"{target} is there already", hint="--force replaces it, --dry-run prints what would be written"
        )


def _asked() -> Draft:
    if not is_terminal(sys.stdin):
        raise UsageError(
            f"there is none of {', '.join(SOURCES)} here, and no terminal to ask",
            hint="name a file to read, or run `portsup init` on a terminal",
        )
    from supervisor.cli.questions import ask

    return ask()


def _written(draft: Draft) -> str:
    from supervisor.importing.writer import write

    return write(draft)


def write_file(target: Path, text: str, *, replace: bool) -> None:
    """Whole or not at all, and never over a file that came meanwhile. Raises PortsupError."""
    try:
        if replace:
            _replace(Path(os.path.realpath(target)), text)
        else:
            _create(target, text)
    except FileExistsError:
        _refuse_to_overwrite(target)
        raise
    except OSError as error:
        raise PortsupError(f"cannot write {target}: {(error.strerror or str(error)).lower()}") from error


def _create(target: Path, text: str) -> None:
    with open(target, "x", encoding="utf-8") as file:
        try:
            file.write(text)
            file.flush()
        except OSError:
            target.unlink()
            raise


def _replace(target: Path, text: str) -> None:
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        _create(draft, text)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
