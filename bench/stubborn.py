"""A service that is hard to end: it ignores TERM and leaves a worker in a session of its own, which does too.

Run it as `python -E -s -S`. Listener and worker tell that they are there: `ready` and `worker`.
"""

from __future__ import annotations

import os
import signal
import socket
import time

from telling import tell

PORT = int(os.environ["PORT"])


def sleep_for_ever() -> None:
    while True:
        time.sleep(3600)


def leave_a_worker() -> None:
    """The classic double fork: whoever started the service isn't the worker's parent any more."""
    middle = os.fork()
    if middle:
        os.waitpid(middle, 0)
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    tell("worker", PORT)
    sleep_for_ever()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    leave_a_worker()
    with socket.create_server(("127.0.0.1", PORT)):
        tell("ready", PORT)
        sleep_for_ever()
