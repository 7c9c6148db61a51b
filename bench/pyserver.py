"""A service as most are: an interpreter that imports a web server before it listens on 127.0.0.1:PORT.

usage: pyserver.py [PORT]     else on $PORT; tells `ready` like tinyserver.c
"""

import os
import socketserver
import sys
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from telling import tell


class Server(ThreadingHTTPServer):
    def server_bind(self) -> None:
        """Without HTTPServer's look-up of this host's name, which can take seconds."""
        socketserver.TCPServer.server_bind(self)


if __name__ == "__main__":
    port = int(sys.argv[1] if len(sys.argv) > 1 else os.environ["PORT"])
    with Server(("127.0.0.1", port), SimpleHTTPRequestHandler) as server:
        tell("ready", port)
        server.serve_forever()
