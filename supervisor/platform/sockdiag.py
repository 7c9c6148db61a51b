"""TCP listeners, asked of the kernel: sock_diag(7) over netlink, or /proc/net/tcp where that is refused.

Netlink answers with the listeners alone, where /proc/net/tcp lists every connection of the machine.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Iterable, Iterator, Sequence

from supervisor.errors import NO_DESCRIPTORS
from supervisor.platform import spares
from supervisor.platform.contract import Listener

NETLINK_SOCK_DIAG = 4
TCPDIAG_GETSOCK = 18
"""The older of the two requests. The only one that is answered for IPv4 and IPv6 together: each answer
costs the kernel a walk through all of its table."""
SOCK_DIAG_BY_FAMILY = 20
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_REQUEST, NLM_F_DUMP = 0x1, 0x300
TCP_ESTABLISHED, TCP_CLOSE_WAIT, TCP_LISTEN = 1, 8, 10
CONNECTED = 1 << TCP_ESTABLISHED | 1 << TCP_CLOSE_WAIT

HEADER = struct.Struct("=IHHII")
"""nlmsghdr: length, type, flags, sequence, port id."""
LISTENERS = struct.pack("=4x48xI4x", 1 << TCP_LISTEN)
"""inet_diag_req, of which only the states matter; an all-zero socket id matches every socket."""
ERROR = struct.Struct("=i")
"""A negative errno, or 0."""
REQUEST = struct.Struct("=BBBxI48x")
"""inet_diag_req_v2: family, protocol, extensions, states, socket id."""
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

RECEIVE_BYTES = 32768
"""The kernel makes no datagram of an answer larger than this."""
RECEIVE_TIMEOUT = struct.pack("@ll", 1, 0)
"""A struct timeval. Not `settimeout`, which asks before each call whether it would block."""
PROC_TABLES = {socket.AF_INET: "/proc/net/tcp", socket.AF_INET6: "/proc/net/tcp6"}


def listeners() -> list[Listener]:
    """Every TCP socket of this network namespace that listens, IPv4's and IPv6's."""
    try:
        found = by_netlink()
        return sorted(found, key=lambda listener: ":" in listener.address)  # the kernel mixes the families
    except OSError:  # a seccomp filter, gVisor, or a kernel without it
        return list(by_proc())


def by_netlink() -> Iterator[Listener]:
    """Raises OSError where the kernel refuses to answer."""
    with _open() as netlink:
        yield from map(_listener, _payloads(_ask(netlink, TCPDIAG_GETSOCK, LISTENERS)))


class Table:
    """The listeners on some ports, read again and again through one socket. Where the kernel answers what it
    did the last time, its bytes are all that is compared."""

    def __init__(self, ports: range) -> None:
        """Raises OSError if there is no descriptor for it: one that is missed now isn't taken from others
        later."""
        self._ports = ports
        self._request = LISTENERS + _of_ports(ports)
        self._netlink = _open_if_possible()
        self._answer: list[bytes] = []
        self._found: tuple[Listener, ...] = ()

    def read(self) -> Sequence[Listener]:
        """The very same object as the last time if it would be equal."""
        try:
            answer = self._ask()
        except OSError:
            self.close()  # what it was going to say must not be taken for the next answer
            self._find(found for found in spares.lend(listeners) if found.port in self._ports)
            return self._found
        if answer != self._answer:
            self._find(map(_listener, _payloads(answer)))
            self._answer = answer
        return self._found

    def _ask(self) -> list[bytes]:
        if self._netlink is None:
            self._netlink = _open()
        return list(_ask(self._netlink, TCPDIAG_GETSOCK, self._request, self._answer))

    def _find(self, listeners: Iterable[Listener]) -> None:
        """Queues and the like are in the answer too: not every new one tells of other listeners."""
        found = tuple(listeners)
        if found != self._found:
            self._found = found

    def close(self) -> None:
        """Opened anew by the next `read`."""
        if self._netlink is not None:
            self._netlink.close()
        self._netlink, self._answer = None, []


def unheard(port: int, young: float) -> int:
    """IPv4 connections to `port` that a process has accepted, and of which something waits to be read, or
    nothing has come in the less than `young` seconds that they stand. Raises OSError where the kernel
    refuses to answer."""
    request = REQUEST.pack(socket.AF_INET, socket.IPPROTO_TCP, 1 << (INET_DIAG_INFO - 1), CONNECTED)
    with _open() as netlink:
        answer = list(_ask(netlink, SOCK_DIAG_BY_FAMILY, request + _of_ports(range(port, port + 1))))
    return sum(_is_unheard(found, young) for found in _payloads(answer))


def _of_ports(ports: range) -> bytes:
    """The filter: source port >= the first and <= the last. An operation tells how far to go on if it is
    true, and if not: beyond the end, which means no."""
    code = OPERATION.pack(PORT_GE, 8, 20, 0, ports[0]) + OPERATION.pack(PORT_LE, 8, 12, 0, ports[-1])
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


def _open_if_possible() -> socket.socket | None:
    try:
        return _open()
    except OSError as error:
        if error.errno in NO_DESCRIPTORS:
            raise
        return None  # a seccomp filter, gVisor: /proc is read instead


def _open() -> socket.socket:
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)
    netlink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, RECEIVE_TIMEOUT)
    return netlink


def _ask(netlink: socket.socket, kind: int, request: bytes, known: Sequence[bytes] = ()) -> Iterator[bytes]:
    """The datagrams of the answer. Of one that was in an answer to the same request, `known`, it isn't
    looked up anew whether it is the last. Raises OSError where the kernel refuses to answer."""
    header = HEADER.pack(HEADER.size + len(request), kind, NLM_F_REQUEST | NLM_F_DUMP, 1, 0)
    netlink.send(header + request)
    ended = False
    while not ended:
        datagram = netlink.recv(RECEIVE_BYTES)
        yield datagram
        ended = datagram == known[-1] if datagram in known else _ends(datagram)


def _ends(datagram: bytes) -> bool:
    """Whether it is the answer's last. Raises OSError if the answer is that there is none."""
    for kind, payload in _messages(datagram):
        if kind in (NLMSG_ERROR, NLMSG_DONE):
            # An end has an error too, as where the kernel lacks the part that knows of TCP.
            if code := ERROR.unpack_from(payload)[0]:
                raise OSError(-code, "sock_diag refused")
            return True
    return False


def _payloads(answer: Iterable[bytes]) -> Iterator[bytes]:
    """Of each socket in it."""
    for datagram in answer:
        for kind, payload in _messages(datagram):
            if kind != NLMSG_DONE:
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


def by_proc() -> Iterator[Listener]:
    """The same from /proc/net/tcp and tcp6."""
    for family, path in PROC_TABLES.items():
        yield from _of_proc(family, path)


def _of_proc(family: int, path: str) -> Iterator[Listener]:
    """Nothing if the kernel has no such table."""
    try:
        with open(path) as table:
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
