"""Writes docs/commands.md: the help of every command, as the command itself prints it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from supervisor.cli.main import COMMANDS, cli

FILE = Path(__file__).resolve().parents[1] / "docs" / "commands.md"
WIDTH = 100
"""Columns, whatever the terminal has."""

HEAD = """\
# Commands

What `portsup COMMAND --help` prints. `scripts/make_docs` writes this page.
"""


def page() -> str:
    top = click.Context(cli, info_name="portsup", **cli.context_settings)
    return "\n".join([HEAD, *(f"{section}\n" for section in _sections(top))])


def _sections(top: click.Context) -> Iterator[str]:
    for name in COMMANDS:
        command = cli.get_command(top, name)
        assert command is not None
        text = command.get_help(click.Context(command, info_name=name, parent=top, terminal_width=WIDTH))
        yield f"## {name}\n\n```text\n{text}\n```"


if __name__ == "__main__":
    FILE.write_text(page())
