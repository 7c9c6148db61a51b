"""A web app on a port of the loopback address, until a signal."""

from __future__ import annotations

import logging
import signal
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import FrameType
from typing import TYPE_CHECKING

from supervisor.errors import PortsupError

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp

HOST = "127.0.0.1"

GRACE_SECONDS = 3
"""For requests that are under way at the end: more than the aggregated health takes."""

UNREAD_SECONDS = 30
"""After so long the kernel hangs up on a client that doesn't take what it was sent."""

BACKLOG = 128
"""Connections that wait to be accepted. Without a descriptor asyncio tries as often in a row."""

SILENT_SECONDS = 60.0
"""Between two lines that say that there is no descriptor left."""

FULL = "portsup: no descriptor is left: new connections wait until others end"

NOT_ACCEPTED = "socket.accept() out of system resource"
LATE_RETRY = "Exception in callback BaseSelectorEventLoop._start_serving"
"""How asyncio begins its lines on that; it tries again after a second, also when the listener is closed."""


def config(app: ASGIApp) -> uvicorn.Config:
    """Needs uvicorn."""
    import uvicorn

    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        backlog=BACKLOG,
    )


def serve(server: uvicorn.Server, port: int, greet: Callable[[str, ExitStack], None]) -> None:
    """Serve until a signal, then return. Port 0 lets the kernel choose.

    Prints "listening on http://127.0.0.1:PORT" once connections are accepted. `greet` gets that URL to say
    what else there is to say, and a stack for what is to be closed at the end. Raises PortsupError if the
    port is taken.
    """

    def stop(_signum: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    with ExitStack() as stack:
        listener = stack.enter_context(listen(port))
        # uvicorn has handlers of its own while it runs, and raises afterwards what they caught: with
        # ours around them, no signal kills us, neither before nor after.
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(signum) is not signal.SIG_IGN:  # nohup
                signal.signal(signum, stop)
        log, filter_ = logging.getLogger("asyncio"), FullSometimes()
        log.addFilter(filter_)
        stack.callback(log.removeFilter, filter_)
        url = f"http://{HOST}:{listener.getsockname()[1]}"
        print(f"listening on {url}", flush=True)
        greet(url, stack)
        server.run(sockets=[listener])


def listen(port: int) -> socket.socket:
    """Raises PortsupError if it is taken."""
    # asyncio sets TCP_NODELAY where the protocol is named: else each answer on a connection that is kept
    # waits 40 ms for the client's acknowledgement of its head.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; its connections inherit it
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_SECONDS * 1000)
        listener.bind((HOST, port))
        listener.listen()
    except OSError as failure:
        listener.close()
        raise PortsupError(
            f"cannot listen on {HOST}:{port}: {failure.strerror}", hint=f"`portsup why {port}` tells who does"
        ) from failure
    return listener


class FullSometimes(logging.Filter):
    """asyncio logs each connection that it can't accept, with a traceback, thousands in a second: whoever
    opens enough of them would fill the disk."""

    def __init__(self) -> None:
        super().__init__()
        self._said = float("-inf")

    def filter(self, record: logging.LogRecord) -> bool:
        said = str(record.msg)
        if said.startswith(LATE_RETRY):
            return False
        if not said.startswith(NOT_ACCEPTED):
            return True
        if time.monotonic() < self._said + SILENT_SECONDS:
            return False
        self._said = time.monotonic()
        record.msg, record.args, record.exc_info = FULL, (), None
        return True
