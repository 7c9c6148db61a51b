"""`portsup serve`: the app on a port of the loopback address, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from supervisor import paths
from supervisor.errors import PortsupError
from supervisor.extras import missing_extra
from supervisor.web import token
from supervisor.web.open_page import opened as page_opened

if TYPE_CHECKING:
    import uvicorn

HOST = "127.0.0.1"

GRACE_SECONDS = 3
"""For requests that are under way at the end: more than the aggregated health takes."""


UNREAD_SECONDS = 30
"""After so long the kernel hangs up on a client that doesn't take what it was sent."""


def serve(port: int, tell: Callable[[str], None], *, open_page: bool = False) -> None:
    """Serve until a signal, then return. Port 0 lets the kernel choose.

    Prints "listening on http://127.0.0.1:PORT" once connections are accepted, and on a terminal where the
    page is; `tell` gets the line that says where the token is. With `open_page` a browser is started. Raises
    PortsupError if the extra `web` isn't installed, the port is taken or the token's file can't be trusted.
    """
    server = _make_server(paths.lock_folder())
    token_file = paths.api_token_file()
    shown = token.current(token_file)

    def stop(_signum: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    with ExitStack() as stack:
        listener = stack.enter_context(_listen(port))
        # uvicorn has handlers of its own while it runs, and raises afterwards what they caught: with
        # ours around them, no signal kills us, neither before nor after.
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, stop)
        tell(f"portsup: logs and changes need the token in {token_file}")
        url = f"http://{HOST}:{listener.getsockname()[1]}"
        print(f"listening on {url}", flush=True)
        if sys.stdout.isatty():
            print(f"the page: {url}/", flush=True)
        if open_page:
            stack.enter_context(page_opened(f"{url}/", shown, tell))
        server.run(sockets=[listener])


def _make_server(folder: Path) -> uvicorn.Server:
    try:
        import uvicorn

        from supervisor.web.app import make_app
        from supervisor.web.server import Server
    except ModuleNotFoundError as missing:
        raise missing_extra("serve", "web", missing) from missing
    app = make_app(folder)
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return Server(config, app.state.end_streams)


def _listen(port: int) -> socket.socket:
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
