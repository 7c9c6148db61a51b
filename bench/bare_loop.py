"""What portsup is held against: the shortest loop that starts the same children and restarts them.

usage: bare_loop.py FIRST_PORT COUNT COMMAND...     children get PORT; SIGTERM ends all
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys


def main(first_port: int, count: int, command: list[str]) -> None:
    children: dict[int, tuple[subprocess.Popen[bytes], int]] = {}
    stopping = False

    def spawn(port: int) -> None:
        child = subprocess.Popen(command, env={**os.environ, "PORT": str(port)})
        children[child.pid] = child, port
        if stopping:  # the signal came while the child wasn't known yet
            child.terminate()

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True
        for child, _port in children.values():
            child.terminate()

    signal.signal(signal.SIGTERM, stop)
    for port in range(first_port, first_port + count):
        spawn(port)
    while children:
        pid, status = os.wait()
        child, port = children.pop(pid)
        child.returncode = os.waitstatus_to_exitcode(status)
        if not stopping:
            spawn(port)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
