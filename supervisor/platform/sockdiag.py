"""TCP listeners, asked of the kernel: sock_diag(7) over netlink, or /proc/net/tcp where that is refused.

Netlink answers with the listeners alone, where /proc/net/tcp lists every connection of the machine.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Iterator

from supervisor.platform.contract import Listener

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_REQUEST, NLM_F_DUMP = 0x1, 0x300
TCP_ESTABLISHED, TCP_CLOSE_WAIT, TCP_LISTEN = 1, 8, 10
CONNECTED = 1 << TCP_ESTABLISHED | 1 << TCP_CLOSE_WAIT

HEADER = struct.Struct("=IHHII")
"""nlmsghdr: length, type, flags, sequence, port id."""
REQUEST = struct.Struct("=BBBxI48x")
"""inet_diag_req_v2: family, protocol, extensions, states; an all-zero socket id matches every socket."""
ANSWER = struct.Struct("=BBBB2sH16s16sI8xIIIII")
"""inet_diag_msg: family, state, timer, retransmits, source port, destination port, source,
destination, interface, (cookie), expires, receive queue, send queue, uid, inode."""

INET_DIAG_REQ_BYTECODE = 1
INET_DIAG_INFO = 2
ATTRIBUTE = struct.Struct("=HH")
"""rtattr: length with itself, type."""
PORT_GE, PORT_LE = 2, 3
OPERATION = struct.Struct("=BBHHH")
"""Two inet_diag_bc_op: code, jump if true, jump if false; and the port in the second one's last field."""
INFO = struct.Struct("=52xI72xQ")
"""Of struct tcp_info: milliseconds since something came, or the connection did; the bytes that came."""

RECEIVE_BYTES = 65536
PROC_TABLES = {socket.AF_INET: "/proc/net/tcp", socket.AF_INET6: "/proc/net/tcp6"}


def listeners() -> list[Listener]:
    """Every TCP socket of this network namespace that listens, IPv4's and IPv6's."""
    return [listener for family in PROC_TABLES for listener in _of_family(family)]


def _of_family(family: int) -> list[Listener]:
    try:
        return list(by_netlink(family))
    except OSError:  # a seccomp filter, gVisor, or a kernel without this family
        return list(by_proc(family))


def unheard(port: int, young: float) -> int:
    """IPv4 connections to `port` that a process has accepted, and of which something waits to be read, or
    nothing has come in the less than `young` seconds that they stand. Raises OSError where the kernel
    refuses to answer."""
    request = REQUEST.pack(socket.AF_INET, socket.IPPROTO_TCP, 1 << (INET_DIAG_INFO - 1), CONNECTED)
    return sum(_is_unheard(found, young) for found in _dump(request + _of_port(port)))


def _of_port(port: int) -> bytes:
    """The filter: source port >= and <= `port`. An operation tells how far to go on if it is true, and if
    not: beyond the end, which means no."""
    code = OPERATION.pack(PORT_GE, 8, 20, 0, port) + OPERATION.pack(PORT_LE, 8, 12, 0, port)
    return ATTRIBUTE.pack(ATTRIBUTE.size + len(code), INET_DIAG_REQ_BYTECODE) + code


def _is_unheard(payload: bytes, young: float) -> bool:
    *_, unread, _, _, inode = ANSWER.unpack_from(payload)
    return inode != 0 and (unread > 0 or _is_new(payload, young))


def _is_new(payload: bytes, young: float) -> bool:
    """False on a kernel that doesn't tell."""
    offset = ANSWER.size
    while offset + ATTRIBUTE.size <= len(payload):
        length, kind = ATTRIBUTE.unpack_from(payload, offset)
        if kind == INET_DIAG_INFO and length >= ATTRIBUTE.size + INFO.size:
            age, received = INFO.unpack_from(payload, offset + ATTRIBUTE.size)
            return bool(received == 0 and age < young * 1000)
        offset += max((length + 3) & ~3, ATTRIBUTE.size)
    return False


def by_netlink(family: int) -> Iterator[Listener]:
    """Raises OSError where the kernel refuses to answer."""
    return map(_listener, _dump(REQUEST.pack(family, socket.IPPROTO_TCP, 0, 1 << TCP_LISTEN)))


def _dump(request: bytes) -> Iterator[bytes]:
    flags = NLM_F_REQUEST | NLM_F_DUMP
    header = HEADER.pack(HEADER.size + len(request), SOCK_DIAG_BY_FAMILY, flags, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as netlink:
        netlink.settimeout(1.0)
        netlink.send(header + request)
        while True:
            for kind, payload in _messages(netlink.recv(RECEIVE_BYTES)):
                if kind == NLMSG_DONE:
                    return
                if kind == NLMSG_ERROR:
                    raise OSError(-struct.unpack_from("=i", payload)[0], "sock_diag refused")
                yield payload


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset + HEADER.size <= len(data):
        length, kind, *_ = HEADER.unpack_from(data, offset)
        yield kind, data[offset + HEADER.size : offset + length]
        offset += (length + 3) & ~3


def _listener(payload: bytes) -> Listener:
    family, _, _, _, port, _, source, *_, uid, inode = ANSWER.unpack_from(payload)
    address = source[:4] if family == socket.AF_INET else source
    return Listener(socket.inet_ntop(family, address), int.from_bytes(port, "big"), inode, uid)


def by_proc(family: int) -> Iterator[Listener]:
    """The same from /proc/net/tcp and tcp6; nothing if the kernel has no such table."""
    try:
        with open(PROC_TABLES[socket.AddressFamily(family)]) as table:
            lines = table.readlines()[1:]
    except FileNotFoundError:
        return
    for line in lines:
        fields = line.split()
        if int(fields[3], 16) == TCP_LISTEN:
            address, port = fields[1].split(":")
            yield Listener(_address(family, address), int(port, 16), int(fields[9]), int(fields[7]))


def _address(family: int, text: str) -> str:
    """/proc prints each 32-bit word of an address in the machine's own byte order."""
    words = (int(text[start : start + 8], 16) for start in range(0, len(text), 8))
    return socket.inet_ntop(family, b"".join(word.to_bytes(4, sys.byteorder) for word in words))
