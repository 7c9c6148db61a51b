"""Does anybody use this port? Asked by binding, as a server would."""

from __future__ import annotations

import errno
import socket

from supervisor.errors import MORE_DESCRIPTORS, OutOfResources, PortsupError

NO_IPV6 = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT})


def is_free(port: int) -> bool:
    """Whether nobody listens on `port` on any address. Only claimers, who hold the lock, call this.

    Raises PortsupError where this user may not bind at all (a port below 1024, by default).
    """
    return _binds(socket.AF_INET, "0.0.0.0", port) and _binds(socket.AF_INET6, "::", port)


def _binds(family: socket.AddressFamily, address: str, port: int) -> bool:
    """SO_REUSEADDR looks past TIME_WAIT but not past a listener, even one that set it too; with
    SO_REUSEPORT we would join such a listener instead of seeing it."""
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((address, port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return False
        if family == socket.AF_INET6 and error.errno in NO_IPV6:
            return True
        raise refused(port, error) from error
    return True


def refused(port: int, error: OSError) -> PortsupError:
    """Why a port can't be bound at all, whoever uses it."""
    if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
        return OutOfResources(f"cannot look at port {port}: {error.strerror}", hint=MORE_DESCRIPTORS)
    return PortsupError(
        f"cannot use port {port}: {error.strerror}",
        hint="choose a pool above 1023: lower ports need a privilege" if port < 1024 else None,
    )
