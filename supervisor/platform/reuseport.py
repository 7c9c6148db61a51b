"""Linux: a second listening socket on a port that one listens on already, and all connections to it.

Both get SO_REUSEPORT, which the kernel also takes on a socket that is bound, and so form a group as soon
as the second listens. A filter (SO_ATTACH_REUSEPORT_CBPF, socket(7)) that always answers with its place
there leads every new connection to it. While the group lasts, another process of this user could join
it; it would get no connection, since the filter stays, unless it came between the first socket and the
second. The shield names it either way.
"""

from __future__ import annotations

import array
import socket
import struct

SO_ATTACH_REUSEPORT_CBPF = 51

BPF_RET = 0x06
FILTER = struct.Struct("=HBBI")
"""struct sock_filter: code, two jumps, and the value."""
PROGRAM = struct.Struct("@HP")
"""struct sock_fprog: how many instructions, and where they are."""

TCP_INFO_BYTES = 32
UNACKED = struct.Struct("=24xI4x")
"""The field of struct tcp_info that is, of a listening socket, the length of its accept queue."""

SIBLING = "127.0.0.2"
"""An address beside 127.0.0.1, on which nobody listens who listens for us."""


def listen_beside(listening: socket.socket, backlog: int) -> socket.socket:
    """Raises OSError."""
    second = socket.socket(listening.family, listening.type)
    try:
        for member in (listening, second):
            member.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        second.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        second.bind(listening.getsockname())
        second.listen(backlog)
        _lead_all_to(second, place=1)
    except BaseException:
        second.close()
        raise
    return second


def _lead_all_to(member: socket.socket, place: int) -> None:
    """`place` in the group is by age, from 0."""
    code = array.array("B", FILTER.pack(BPF_RET, 0, 0, place))
    address, _ = code.buffer_info()
    member.setsockopt(socket.SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, PROGRAM.pack(1, address))


def listen_alone(listening: socket.socket) -> None:
    """Close the group, once all others in it are closed."""
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 0)
    # The kernel remembers of a port that the last one to bind it allowed others to, and lets these in
    # without asking who is there now. A bind that doesn't allow it makes it forget that.
    with socket.socket(listening.family, listening.type) as stopper:
        stopper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stopper.bind((SIBLING, listening.getsockname()[1]))


def waiting_connections(listening: socket.socket) -> int:
    (length,) = UNACKED.unpack(listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES))
    return int(length)
