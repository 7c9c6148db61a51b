"""Who may call what.

With stdio, whoever started the server calls; over HTTP everyone on the machine can. So there whatever shows
what a service printed or was told, or changes something, needs the token that `portsup serve` wants, too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from anyio import to_thread
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, InputRequiredResult
from pydantic import ValidationError

from supervisor.agents.answer import refusal
from supervisor.errors import ExitCode, PortsupError, UsageError
from supervisor.loopback import token

PUBLIC = frozenset({"list_instances", "status", "events", "why"})
"""They tell no more than GET /api/services and its like."""


class GuardedServer(MCPServer[None]):
    """Lets in who may come, and makes every failure a sentence."""

    def __init__(self, *, withheld: frozenset[str], token_file: Path, **more: Any) -> None:
        """`withheld` are tools that there would be, were changes allowed."""
        super().__init__("portsup", **more)
        self._withheld = withheld
        self._token_file = token_file

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[None, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        try:
            await self._admit(name, context)
            return await super().call_tool(name, arguments, context)
        except PortsupError as error:
            return refusal(error)
        except ToolError as error:
            return refusal(_in_words(name, error))

    async def _admit(self, name: str, context: Context[None, Any] | None) -> None:
        """Raises PortsupError."""
        if name in self._withheld:
            raise UsageError(
                f"{name} changes something, and this server only looks",
                hint="who may allow it starts it with `portsup mcp --allow-changes`",
            )
        request = None if context is None else context.request_context.request
        if request is not None and name not in PUBLIC:
            shown = [value for key, value in request.headers.raw if key == b"authorization"]
            await to_thread.run_sync(token.check, self._token_file, shown)


def _in_words(tool: str, error: ToolError) -> PortsupError:
    match error.__cause__:
        case PortsupError() as cause:
            return cause
        case ValidationError() as cause:
            wrong = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in cause.errors()]
            return UsageError(f"the arguments of {tool} are wrong", details=wrong)
        case None:
            return UsageError(str(error))
        case cause:
            return PortsupError(
                f"internal error: {type(cause).__name__}: {cause}",
                hint="this is a fault of portsup",
                exit_code=ExitCode.INTERNAL,
            )
