"""A server on descriptor 3: answers each GET, over a connection of its own, with what it was given.

GET /die ends it with exit code 3 once that is answered. `handed.py FOLDER` starts a worker that has the
socket too, and ends with 0 as soon as FOLDER/worker holds its pid; `handed.py FOLDER idle` the same, but
the worker has no socket.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from pathlib import Path


def main() -> None:
    if len(sys.argv) > 1:
        daemonise(Path(sys.argv[1]), idle="idle" in sys.argv)
    serve(socket.socket(fileno=3))


def daemonise(folder: Path, *, idle: bool) -> None:
    settled, settling = os.pipe()
    pid = os.fork()
    if pid:
        os.close(settling)
        os.read(settled, 1)  # until the worker has what it is to have, and no more
        (folder / "new").write_text(str(pid))
        (folder / "new").rename(folder / "worker")
        os._exit(0)
    if idle:
        os.close(3)
    os.close(settling)
    if idle:
        signal.pause()


def serve(listening: socket.socket) -> None:
    listening.setblocking(True)
    while True:
        connection, _ = listening.accept()
        with connection:
            request = connection.recv(65536)
            body = json.dumps(facts(listening)).encode()
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            if request.startswith(b"GET /die "):
                os._exit(3)


def facts(listening: socket.socket) -> dict[str, object]:
    return {
        "pid": os.getpid(),
        "listen": {name: value for name, value in os.environ.items() if name.startswith("LISTEN_")},
        "port": os.environ["PORT"],
        "fd": os.environ.get("FD"),
        "address": listening.getsockname(),
        "descriptors": sorted(int(path.name) for path in Path("/proc/self/fd").iterdir()),
    }


main()
