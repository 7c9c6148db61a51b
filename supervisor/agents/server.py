"""The server with its tools, whichever way it is reached."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mcp.types import ToolAnnotations

from supervisor import __version__, paths
from supervisor.agents.admission import GuardedServer
from supervisor.agents.changing import Changing
from supervisor.agents.choice import Choice
from supervisor.agents.looking import Looking
from supervisor.marker import UNIT

INSTRUCTIONS = """\
portsup runs copies ("instances") of a stack of services side by side on this machine, each service on a \
port of its own that nobody else gets. A worktree's services.toml says which services there are.

Call list_instances first: it names what runs, with each service's state, url and instance_id. Most tools \
mean the instance of the worktree in which this server was started; pass instance_id (or folder, and \
instance) for another one. If a service isn't RUNNING, logs shows what it printed and events what happened \
to it. Never start a server on another port by hand because one is taken: why says who has it.

"""

ONLY_LOOKS = "This server only looks: nothing can be started or stopped through it."

CHANGES = """\
up starts an instance and waits until it is ready, down stops it. Other instances may be somebody else's \
work: stop or restart only what you started or were asked to.\
"""

TITLES = {
    "list_instances": "List instances",
    "status": "Status of an instance",
    "logs": "Logs of a service",
    "events": "Events of an instance",
    "env": "Variables of an instance",
    "why": "Who holds a port",
    "up": "Start an instance",
    "down": "Stop an instance",
    "start": "Start services",
    "stop": "Stop services",
    "restart": "Restart services",
}

LOOKS = ("list_instances", "status", "logs", "events", "env", "why")

CHANGE: dict[str, ToolAnnotations] = {
    "up": ToolAnnotations(destructive_hint=False, idempotent_hint=False),
    "down": ToolAnnotations(destructive_hint=True, idempotent_hint=False),
    "start": ToolAnnotations(destructive_hint=False, idempotent_hint=True),
    "stop": ToolAnnotations(destructive_hint=True, idempotent_hint=True),
    "restart": ToolAnnotations(destructive_hint=True, idempotent_hint=False),
}


def make_server(
    here: Callable[[], Path], environ: Mapping[str, str], *, allow_changes: bool
) -> GuardedServer:
    """`here` gives the services.toml of whoever names none; `environ` tells which service we are."""
    logging.basicConfig(level=logging.WARNING, format="portsup: %(message)s")  # else the SDK sets up its own
    server = GuardedServer(
        withheld=frozenset() if allow_changes else frozenset(CHANGE),
        token_file=paths.api_token_file(environ),
        title="portsup",
        version=__version__,
        instructions=INSTRUCTIONS + (CHANGES if allow_changes else ONLY_LOOKS),
        log_level="WARNING",
        subscriptions=False,
    )
    choice = Choice(paths.lock_folder(environ), here)
    looking = Looking(choice)
    for name in LOOKS:
        hints = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
        _add(server, name, getattr(looking, name), hints)
    if allow_changes:
        changing = Changing(choice, environ.get(UNIT))
        for name, hints in CHANGE.items():
            closed = hints.model_copy(update={"read_only_hint": False, "open_world_hint": False})
            _add(server, name, getattr(changing, name), closed)
    return server


def _add(server: GuardedServer, name: str, tool: Callable[..., Any], hints: ToolAnnotations) -> None:
    description = " ".join((tool.__doc__ or "").split())
    server.add_tool(tool, name=name, title=TITLES[name], description=description, annotations=hints)
