"""A small real HTTP server: what a service of the sample stack runs.

It listens on HOST:PORT, answers `GET /api/health` with who it is, and on SIGTERM or SIGINT finishes
the requests under way and exits with 0.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import socketserver
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Health(BaseHTTPRequestHandler):
    timeout = 2
    """Seconds that a silent client may keep a request open, and so an orderly stop waiting."""

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != "/api/health":
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        body = json.dumps(health(self.connection.getsockname()[1])).encode() + b"\n"
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Quiet: a line a request would hide what matters."""


class Server(ThreadingHTTPServer):
    allow_reuse_address = True
    daemon_threads = False  # so that server_close() waits for the requests under way
    timeout = 0  # handle_request() is called when one is there
    allow_reuse_port = False  # a second listener on the port must fail, not share it

    def server_bind(self) -> None:
        """Without HTTPServer's look-up of this host's name, which can take seconds."""
        socketserver.TCPServer.server_bind(self)


def health(port: int) -> dict[str, object]:
    return {
        "service": service_name(),
        "instance": int(os.environ.get("PORTSUP_INSTANCE", "0")),
        "port": port,
        "pid": os.getpid(),
        "status": "ok",
    }


def service_name() -> str:
    return os.environ.get("PORTSUP_SERVICE", "sample")


def stop_signals() -> socket.socket:
    """A socket that becomes readable on SIGTERM or SIGINT."""
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.detach())
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: None)
    return reader


def serve(server: Server, stop: socket.socket) -> None:
    """Answer requests until `stop` becomes readable."""
    with selectors.DefaultSelector() as selector:
        selector.register(server, selectors.EVENT_READ)
        selector.register(stop, selectors.EVENT_READ)
        while stop not in {key.fileobj for key, _ in selector.select()}:
            server.handle_request()


def main() -> None:
    stop = stop_signals()
    host, port = os.environ.get("HOST", "127.0.0.1"), int(os.environ["PORT"])
    with Server((host, port), Health) as server:
        print(f"{service_name()} listening on http://{host}:{port}", flush=True)
        serve(server, stop)


if __name__ == "__main__":
    main()
