"""`portsup serve`: the app on a port of the loopback address, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from supervisor import paths
from supervisor.errors import PortsupError
from supervisor.extras import missing_extra
from supervisor.web import token

if TYPE_CHECKING:
    import uvicorn

HOST = "127.0.0.1"

GRACE_SECONDS = 3
"""For requests that are under way at the end: more than the aggregated health takes."""


def serve(port: int, tell: Callable[[str], None]) -> None:
    """Serve until a signal, then return. Port 0 lets the kernel choose.

    Prints "listening on http://127.0.0.1:PORT" once connections are accepted; `tell` gets the line that
    says where the token is. Raises PortsupError if the extra `web` isn't installed, the port is taken or
    the token's file can't be trusted.
    """
    server = _make_server(paths.lock_folder())
    token_file = paths.api_token_file()
    token.current(token_file)

    def stop(_signum: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    with _listen(port) as listener:
        # uvicorn has handlers of its own while it runs, and raises afterwards what they caught: with
        # ours around them, no signal kills us, neither before nor after.
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, stop)
        tell(f"portsup: what changes something needs the token in {token_file}")
        print(f"listening on http://{HOST}:{listener.getsockname()[1]}", flush=True)
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
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()
    except OSError as failure:
        listener.close()
        raise PortsupError(
            f"cannot listen on {HOST}:{port}: {failure.strerror}", hint=f"`portsup why {port}` tells who does"
        ) from failure
    return listener
