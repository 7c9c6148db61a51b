"""Writes the pages of docs/ that say what the code says: commands.md, faults.md, the tables of
services.md, monitoring.md, agents.md and top.md, and the picture of `portsup status`."""

from __future__ import annotations

import ast
import asyncio
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
from picture import status_picture

from supervisor.agents.admission import PUBLIC
from supervisor.agents.server import make_server
from supervisor.cli.main import COMMANDS, cli
from supervisor.config import keys
from supervisor.config.fields import Key, Keys
from supervisor.config.pool_keys import NAMED_POOL
from supervisor.config.ready_keys import READY
from supervisor.tui import figures, pool_lines
from supervisor.tui import keys as top_keys
from supervisor.web.metric_families import FAMILIES

ROOT = Path(__file__).resolve().parents[1]
FAULTS = ROOT / "tests" / "real" / "faults"
SERVICES = ROOT / "docs" / "services.md"
MONITORING = ROOT / "docs" / "monitoring.md"
AGENTS = ROOT / "docs" / "agents.md"
TOP = ROOT / "docs" / "top.md"
WIDTH = 100
"""Columns, whatever the terminal has."""

COMMANDS_HEAD = """\
# Commands

What `portsup COMMAND --help` prints. `scripts/make_docs` writes this page.
"""

FAULTS_HEAD = """\
# Faults

What portsup survives. For each of these there is a test that makes it happen, with real processes,
sockets and files, and asserts what comes of it: `scripts/test tests/real/faults`, where the file of
fault 7 is `test_07_….py`. What was measured and counted stands in [reliability.md](reliability.md).
`scripts/make_docs` writes this page from the tests.

| | what happens | what comes of it |
| ---: | --- | --- |
"""

TABLES: dict[str, Keys] = {
    "[stack]": keys.STACK,
    "[services.NAME]": keys.SERVICE,
    "Pools": NAMED_POOL,
    "ready": READY,
    "restart and backoff": keys.BACKOFF,
    "stop": keys.STOP,
    "log": keys.LOG,
}
"""Heading in services.md → the keys that the table below it lists."""

KEYS_HEAD = """\
| key | type | default | meaning |
| --- | --- | --- | --- |
"""

METRICS_HEAD = """\
| name | type | labels | meaning |
| --- | --- | --- | --- |
"""

TOOLS_HEAD = """\
| tool | over HTTP | does |
| --- | --- | --- |
"""

TOP_KEYS_HEAD = """\
| key | does |
| --- | --- |
"""

SIGNS_HEAD = """\
| sign | is |
| --- | --- |
"""

PIPE = "<code>&#124;</code>"
"""In a table, `|` is read in two ways: GitHub needs a backslash before it, and MkDocs shows that."""

_FAULT = re.compile(r"Fault (?P<number>\d+): (?P<fault>.+?)\.?\n\n(?P<outcome>.+)", re.DOTALL)


def pages() -> dict[Path, str]:
    return {
        ROOT / "docs" / "commands.md": commands(),
        SERVICES: services(SERVICES.read_text()),
        MONITORING: monitoring(MONITORING.read_text()),
        AGENTS: agents(AGENTS.read_text()),
        TOP: top(TOP.read_text()),
        ROOT / "docs" / "images" / "status.svg": status_picture(),
        ROOT / "docs" / "faults.md": FAULTS_HEAD + "\n".join([*_rows(), ""]),
    }


def commands() -> str:
    top = click.Context(cli, info_name="portsup", **cli.context_settings)
    return "\n".join([COMMANDS_HEAD, *(f"{section}\n" for section in _sections(top))])


def _sections(top: click.Context) -> Iterator[str]:
    for name in COMMANDS:
        command = cli.get_command(top, name)
        assert command is not None
        text = command.get_help(click.Context(command, info_name=name, parent=top, terminal_width=WIDTH))
        yield f"## {name}\n\n```text\n{text}\n```"


def services(page: str) -> str:
    """`page` with the tables of keys as the loader has them; all else is written by hand."""
    for heading, known in TABLES.items():
        page = _with_table(page, heading, KEYS_HEAD, (_key_row(name, key) for name, key in known.items()))
    return page


def monitoring(page: str) -> str:
    """`page` with the metrics that there are."""
    rows = (
        f"| `{one.name}` | {one.kind} | {', '.join(f'`{label}`' for label in one.labels)} | {one.help} |"
        for one in FAMILIES
    )
    return _with_table(page, "Metrics", METRICS_HEAD, rows)


def top(page: str) -> str:
    """`page` with the keys and the signs as `portsup top` has them."""
    keys_rows = (f"| `{key.shown}` | {key.meaning} |" for key in top_keys.KEYS)
    page = _with_table(page, "Keys", TOP_KEYS_HEAD, keys_rows)
    states = [(mark.sign, name) for name, mark in figures.STATES.items() if name.isupper()]
    cells = [(pool_lines.MARKS[cell].sign, meaning) for cell, meaning in pool_lines.MEANINGS.items()]
    signs = (f"| `{sign}` | {meaning} |" for sign, meaning in [*states, *cells])
    return _with_table(page, "What the signs mean", SIGNS_HEAD, signs)


def _with_table(page: str, heading: str, head: str, rows: Iterable[str]) -> str:
    """`page` with these rows in the table below `heading` that begins with `head`."""
    table = rf"(?ms)(^## {re.escape(heading)}\n(?:(?!^## ).)*?){re.escape(head)}(?:^\|[^\n]*\n)*"
    found = re.search(table, page)
    assert found is not None, f"there is no such table below {heading}"
    return page[: found.start()] + found[1] + head + "".join(f"{row}\n" for row in rows) + page[found.end() :]


def _key_row(name: str, key: Key) -> str:
    default = key.otherwise if key.default is None else f"`{json.dumps(key.default)}`"
    meaning = key.meaning.replace("`|`", PIPE)
    cells = [f"`{name}`", key.type.words, default, meaning]
    return f"| {' | '.join(cells)} |"


def agents(page: str) -> str:
    """`page` with the table of tools as the server has them."""
    return _with_table(page, "Tools", TOOLS_HEAD, _tool_rows())


def _tool_rows() -> Iterator[str]:
    server = make_server(lambda: SERVICES, {"HOME": "/"}, allow_changes=True)
    for tool in asyncio.run(server.list_tools()):
        arguments = ", ".join(tool.input_schema["properties"])
        name = f"`{tool.name}({arguments})`"
        yield f"| {name} | {'public' if tool.name in PUBLIC else 'token'} | {tool.description} |"


def _rows() -> Iterator[str]:
    for file in sorted(FAULTS.glob("test_*.py")):
        told = _FAULT.fullmatch(ast.get_docstring(ast.parse(file.read_text())) or "")
        assert told is not None, f"{file}: its docstring has another form"
        fault, outcome = (" ".join(told[part].split()) for part in ("fault", "outcome"))
        yield f"| {told['number']} | {fault} | {outcome} |"


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text)
