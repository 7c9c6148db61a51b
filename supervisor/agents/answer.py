"""An answer as clients of both kinds read it: typed for programs, and as text."""

from __future__ import annotations

from mcp.types import CallToolResult, TextContent
from pydantic import BaseModel

from supervisor.agents import words
from supervisor.agents.results import plain
from supervisor.errors import PortsupError


def answer(result: BaseModel, text: str) -> CallToolResult:
    return CallToolResult(
        content=[TextContent(type="text", text=text)], structured_content=result.model_dump(mode="json")
    )


def refusal(error: PortsupError) -> CallToolResult:
    text = plain(words.failure(error))
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)
