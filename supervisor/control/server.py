"""The supervisor's end of the control socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

Dispatch = Callable[[str, Mapping[str, Any]], Awaitable[Any]]
"""Method and params → result (JSON); raises PortsupError, KeyError for an unknown method, or
ValueError for wrong params."""


class ControlServer:
    def __init__(self, path: Path, dispatch: Dispatch) -> None:
        raise NotImplementedError

    async def start(self) -> None:
        """Listen. A stale socket at the path is replaced: the caller holds the instance's lock."""
        raise NotImplementedError

    async def close(self) -> None:
        """Answer what is under way, close all connections, unlink the socket."""
        raise NotImplementedError
