"""Who is at the other end of a Unix socket. Leaf."""

from __future__ import annotations

import socket
import struct
from typing import Protocol


class Connected(Protocol):
    """A connected socket, plain or in asyncio's wrapper."""

    def getsockopt(self, level: int, optname: int, buflen: int, /) -> bytes: ...


def peer_uid(connection: Connected) -> int | None:
    """The user at the other end: who connected, or who listened. None where the kernel can't tell.

    Without SO_PEERCRED (it is Linux's) only the modes of the socket and its folder keep others out.
    """
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    _pid, uid, _gid = struct.unpack(
        "3i", connection.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i"))
    )
    return int(uid)
