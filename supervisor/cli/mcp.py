"""`portsup mcp`: the server for coding agents, on standard input and output or over HTTP."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from supervisor import paths
from supervisor.cli import stack_file
from supervisor.cli.options import examples, file_option, named_on_command_line
from supervisor.cli.output import is_terminal, note
from supervisor.errors import UsageError
from supervisor.extras import missing_extra

if TYPE_CHECKING:
    from supervisor.agents.admission import GuardedServer


@click.command(
    epilog=examples(
        "portsup mcp                      on stdin and stdout, as a client starts it",
        "portsup mcp --allow-changes      with up, down, start, stop and restart, too",
        "portsup mcp --http --port 9010   for clients that connect to http://127.0.0.1:9010/mcp",
    )
)
@click.option(
    "--http",
    is_flag=True,
    envvar="PORTSUP_HTTP",
    show_envvar=True,
    help="Serve over streamable HTTP, on 127.0.0.1 only.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    envvar=["PORTSUP_PORT", "PORT"],
    show_envvar=True,
    help="The port for --http.",
)
# Not from the environment: who lets agents change something says so where the server is started.
@click.option("--allow-changes", is_flag=True, help="Offer the tools that start and stop something, too.")
@file_option
@click.pass_context
def mcp(ctx: click.Context, http: bool, port: int | None, allow_changes: bool, file: Path | None) -> None:
    """Serve coding agents over the Model Context Protocol (MCP).

    Without --http on standard input and output, until the client closes them: the way in which clients
    start a server. With --http below `portsup up` the port comes from the service's pool, in PORT.
    Agents can list instances, read logs, events and variables, and ask who holds a port; with
    --allow-changes also start and stop. The worktree at hand is meant where they name no other. Over HTTP,
    logs, variables and changes need the token of `portsup serve`.
    """
    if not http and named_on_command_line(ctx, "port"):
        raise UsageError("--port is for --http")
    if http and port is None:
        raise UsageError(
            "no port to listen on",
            hint="name one with `portsup mcp --http --port 9010`, or make it a service of services.toml",
        )
    if file is not None:
        stack_file.find_config(file)  # now, rather than with the first call
    try:
        from supervisor.agents.server import make_server
    except ModuleNotFoundError as missing:
        raise missing_extra("serve agents", "mcp", missing) from missing
    server = make_server(partial(stack_file.find_config, file), os.environ, allow_changes=allow_changes)
    if http:
        assert port is not None
        _serve_http(server, port)
        return
    from supervisor.agents import stdio

    if is_terminal(sys.stdin):
        note("portsup: this is a server for MCP clients, and waits for one on standard input; Ctrl-C ends it")
    ctx.exit(stdio.serve(server))


def _serve_http(server: GuardedServer, port: int) -> None:
    import uvicorn

    from supervisor.agents.http import make_app
    from supervisor.loopback import serving, token

    token_file = paths.api_token_file()
    token.current(token_file)
    app = make_app(server, os.environ)
    greeting = f"portsup: logs, variables and changes need the token in {token_file}"
    serving.serve(uvicorn.Server(serving.config(app)), port, lambda _url, _stack: note(greeting))
