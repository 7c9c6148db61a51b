"""A service that daemonises: leader -> middle -> worker, which sets itself up as it is told.

Each writes its pid to FOLDER/<name> when it is set up, since a worker may have no stdout left. A name
that gets TERM and doesn't ignore it leaves FOLDER/<name>.TERM behind and exits with 0.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--session", action="store_true", help="the middle begins a session of its own")
    parser.add_argument("--empty-env", action="store_true", help="the worker runs with no environment")
    parser.add_argument("--close", action="store_true", help="the worker closes all descriptors")
    parser.add_argument("--leader-closes", action="store_true", help="the leader closes all but its stdio")
    parser.add_argument("--ignore-term", action="store_true")
    parser.add_argument("--keep-middle", action="store_true", help="the middle stays, so nobody is orphaned")
    parser.add_argument("--leader-exits", action="store_true", help="with 0, when the worker is set up")
    parser.add_argument("--listen", type=int, metavar="PORT", help="the worker listens there")
    parser.add_argument("--as-worker", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.as_worker:
        work(given)
    if os.fork() == 0:
        middle(given)
    if not given.keep_middle:
        os.wait()
    if given.leader_closes:
        os.closerange(3, 256)
    if given.leader_exits:
        while not (given.folder / "worker").exists():
            time.sleep(0.01)
        ready("leader", given)
    else:
        live("leader", given)


def middle(given: argparse.Namespace) -> None:
    if given.session:
        os.setsid()
    if os.fork() == 0:
        # By exec: /proc shows the environment that a process was executed with.
        again = [sys.executable, *sys.orig_argv[1:], "--as-worker"]
        os.execve(sys.executable, again, {} if given.empty_env else dict(os.environ))
    if given.keep_middle:
        live("middle", given)
    os._exit(0)


def work(given: argparse.Namespace) -> None:
    if given.close:
        os.closerange(0, 256)
    if given.listen:
        given.server = socket.create_server(("127.0.0.1", given.listen))
    live("worker", given)


def ready(name: str, given: argparse.Namespace) -> None:
    (given.folder / f"{name}.new").write_text(str(os.getpid()))
    (given.folder / f"{name}.new").rename(given.folder / name)


def live(name: str, given: argparse.Namespace) -> None:
    def leave(signum: int, frame: object) -> None:
        (given.folder / f"{name}.TERM").touch()
        os._exit(0)

    signal.signal(signal.SIGTERM, signal.SIG_IGN if given.ignore_term else leave)
    ready(name, given)
    while True:
        signal.pause()


main()
