"""A port of the loopback address."""

from __future__ import annotations

import asyncio
import socket

from supervisor.loopback import serving


def test_answers_are_not_held_back() -> None:
    """An answer of two parts on a connection that is kept must not wait for the client's kernel: asyncio
    turns Nagle's algorithm off only where it is told that the socket is TCP's."""

    async def accepted() -> int:
        found: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def connected(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            option = writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            writer.close()
            found.set_result(option)

        async with await asyncio.start_server(connected, sock=serving.listen(0)) as server:
            _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            try:
                return await found
            finally:
                writer.close()
                await writer.wait_closed()

    assert asyncio.run(accepted()) != 0
