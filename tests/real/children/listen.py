"""A service that listens, for as long as it lives: `listen.py [--share] [PORT]`, else on its own PORT.

With --share by SO_REUSEPORT, so that others may listen beside it. It accepts nothing: the kernel does.
"""

from __future__ import annotations

import os
import signal
import socket
import sys


def main() -> None:
    arguments = [word for word in sys.argv[1:] if word != "--share"]
    port = int(arguments[0] if arguments else os.environ["PORT"])
    with socket.create_server(("127.0.0.1", port), reuse_port="--share" in sys.argv, backlog=128):
        print(f"listening on {port}", flush=True)
        signal.pause()


main()
