"""One process of a service's tree, told what to do: puppet.py SOCKET NAME.

It connects to SOCKET and introduces itself with a line of JSON, as does every process that it forks.
Then it gets one JSON list a line, a command and its arguments, and answers each, save those after which
it introduces itself anew. It ends with the connection.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Collection, Sequence
from typing import Any

CLOSED_UP_TO = 4096


class Puppet:
    def __init__(self, path: str) -> None:
        self.path = path
        self.listening: list[socket.socket] = []

    def introduce(self, name: str) -> None:
        self.wire = socket.socket(socket.AF_UNIX)
        self.wire.connect(self.path)
        self.lines = self.wire.makefile("r")
        self.say({"name": name, "pid": os.getpid()})

    def say(self, answer: Any) -> None:
        self.wire.sendall(json.dumps(answer).encode() + b"\n")

    def serve(self) -> None:
        while line := self.lines.readline():
            command, *arguments = json.loads(line)
            getattr(self, command)(*arguments)

    def fork(self, name: str, how: Sequence[str]) -> None:
        """A child named `name`, which does `how` first; see `shed`."""
        if os.fork() == 0:
            if "setsid" in how:
                os.setsid()
            self.shed(name, how)

    def shed(self, name: str, how: Collection[str]) -> None:
        """Let go of what it could be told by: "close" all descriptors, "bare" of its environment."""
        self.lines.close()
        self.wire.close()
        if "close" in how:
            for listening in self.listening:
                listening.close()
            self.listening.clear()
            os.closerange(3, CLOSED_UP_TO)
        if "bare" in how:
            # By exec: /proc shows the environment that a process was executed with.
            again = [sys.executable, *sys.orig_argv[1:-1], name]
            os.execve(sys.executable, again, {})
        self.introduce(name)

    def listen(self, port: int) -> None:
        """Answers whether the port was to be had."""
        server = socket.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("127.0.0.1", port))
            server.listen()
        except OSError:
            server.close()
            self.say(False)
            return
        self.listening.append(server)
        self.say(True)

    def exit(self, code: int) -> None:
        os._exit(code)


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no zombies
    puppet = Puppet(sys.argv[1])
    puppet.introduce(sys.argv[2])
    puppet.serve()


main()
