"""uvicorn's server, which ends although streams are open: it waits for open connections."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

UNREAD_SECONDS = 0.5
"""For clients to take what they were sent last."""


class Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, end_streams: Callable[[], None]) -> None:
        super().__init__(config)
        self._end_streams = end_streams

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._end_streams()
        unread = asyncio.get_running_loop().call_later(UNREAD_SECONDS, self._drop_unread)
        await super().shutdown(sockets)
        unread.cancel()

    def _drop_unread(self) -> None:
        """A stream can't say its end to a client that doesn't read."""
        for connection in list(self.server_state.connections):
            if isinstance(connection, H11Protocol) and connection.flow.write_paused:
                connection.transport.abort()
