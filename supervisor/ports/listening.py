"""A port on which portsup listens itself, so that a child gets the socket instead of binding.

The socket is open from the claim until the port is given back: whoever connects while the child starts,
restarts or waits after a crash stands in the kernel's queue and is served by the next child.

A server that is told to stop drops what it has accepted and not read yet. So before a restart the child
is relieved: new connections wait in a second socket on the same port, which will be the next child's,
while the old child takes what is left in the first one.
"""

from __future__ import annotations

import contextlib
import errno
import socket

from supervisor.plan.plan import HOST
from supervisor.platform import os_facts
from supervisor.ports.lock import move_up
from supervisor.ports.probe import refused

BACKLOG = 65535
"""Connections that may wait; the kernel takes no more than net.core.somaxconn."""


class Listening:
    """A port that listens, with the socket that the next child is to have."""

    def __init__(self, listener: socket.socket) -> None:
        self._socket = listener
        self._relieved: socket.socket | None = None

    @property
    def fd(self) -> int:
        """Of the socket that the next child gets; close-on-exec."""
        return self._socket.fileno()

    def relieve(self) -> bool:
        """From now on new connections wait for the next child. False if they go on to the one that runs,
        since the system can't lead them elsewhere, or has no descriptors left."""
        try:
            second = os_facts.listen_beside(self._socket, BACKLOG)
            if second is None:
                return False
            self._socket, self._relieved = _moved_up(second), self._socket
        except OSError:
            _shut_the_door(self._socket)
            return False
        return True

    @property
    def waiting(self) -> int:
        """Connections that the child that runs hasn't accepted yet, of those that are its to accept."""
        return os_facts.waiting_connections(self._relieved or self._socket)

    def unheard(self, young: float) -> int:
        """Connections that a child has accepted and whose request isn't read yet, or hasn't come in the less
        than `young` seconds that they stand."""
        return os_facts.unheard_connections(self._socket.getsockname()[1], young)

    def renew(self) -> None:
        """The child is gone: only one socket listens, as if no child had had it."""
        if self._relieved is not None:
            _close(self._relieved)
            self._relieved = None
            _shut_the_door(self._socket)
        # What a child sets on its descriptor is set on ours too: it is one open file.
        self._socket.setblocking(True)
        self._socket.listen(BACKLOG)

    def close(self) -> None:
        """Nobody listens any more, whoever has a copy of the socket. Safe to call twice."""
        for listener in (self._relieved, self._socket):
            if listener is not None:
                _close(listener)
        self._relieved = None


def listen(port: int) -> Listening | None:
    """Bind `port` on 127.0.0.1 and listen; None if somebody uses it. Only claimers, who hold the lock,
    call this. Raises PortsupError where this user may not bind it, or no descriptors are left."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((HOST, port))
            listener.listen(BACKLOG)
            return Listening(_moved_up(listener))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return None
        raise refused(port, error) from error


def _moved_up(listener: socket.socket) -> socket.socket:
    """Out of the way of a child's own numbers."""
    return socket.socket(fileno=move_up(listener.detach()))


def _shut_the_door(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):  # somebody did join: the shield names him
        os_facts.listen_alone(listener)


def _close(listener: socket.socket) -> None:
    """Also for those who inherited it: what a stop spares would go on listening on a port that is given
    back, without ever accepting."""
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RD)
    listener.close()
