"""The server on standard input and output, until the client closes our input, SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable

from mcp.server import MCPServer

from supervisor.errors import ExitCode, UsageError

CHUNK = 65536

UNREAD_SECONDS = 1.0
"""For the client to take what it was answered, once a signal has come."""

EXIT_CODES = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}


def serve(server: MCPServer[None]) -> int:
    """The exit code: 0 when the client has gone, else as the signal wants it.

    Raises UsageError where there is no client.
    """
    if sys.stdin is None or sys.stdout is None:  # the caller closed it, as `<&-` does
        raise UsageError("an MCP client is needed at both standard input and output, and one is closed")
    return asyncio.run(_serve(server, Input()))


async def _serve(server: MCPServer[None], stdin: Input) -> int:
    code = int(ExitCode.OK)
    loop = asyncio.get_running_loop()
    gone = asyncio.Event()

    def on_gone() -> None:
        stdin.end()
        loop.call_soon_threadsafe(gone.set)

    stdout = Output(on_gone)

    def end(signum: signal.Signals) -> None:
        nonlocal code
        code = EXIT_CODES[signum]
        stdin.end()
        loop.call_later(UNREAD_SECONDS, stdout.end)

    for signum in EXIT_CODES:
        loop.add_signal_handler(signum, end, signum)
    try:
        await server.run_stdio_async()
    except* OSError:
        if not gone.is_set():
            raise
    stdout.finish()
    await gone.wait()
    return code


class Input:
    """In the place of our standard input, one that can be ended.

    The SDK reads in a thread, and waits for it: nothing can call it back from read(2) but the end of the
    file, which is the client's to give. So it reads from a socket of ours, and a thread that nobody waits for
    reads what the client sends.
    """

    def __init__(self) -> None:
        theirs, self._ours = socket.socketpair()
        self._client = os.dup(0)
        os.dup2(theirs.fileno(), 0)
        theirs.close()
        threading.Thread(target=self._pass_on, name="stdin", daemon=True).start()

    def _pass_on(self) -> None:
        try:
            while chunk := os.read(self._client, CHUNK):
                self._ours.sendall(chunk)
        except OSError:
            pass  # the client's end is gone, or we are to end
        self.end()

    def end(self) -> None:
        """What has come before is still read."""
        try:
            self._ours.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # once is enough


class Output:
    """In the place of our standard output, one that can be ended.

    The SDK writes in a thread, and waits for it: nothing can call it back from write(2) but a client that
    reads on. So it writes to a socket of ours, and a thread that nobody waits for writes to the client.
    """

    def __init__(self, on_gone: Callable[[], None]) -> None:
        """`on_gone` is called, in any thread, when nothing more reaches the client."""
        self._on_gone = on_gone
        self._theirs, self._ours = socket.socketpair()
        self._client = os.dup(1)
        os.dup2(self._theirs.fileno(), 1)
        threading.Thread(target=self._pass_on, name="stdout", daemon=True).start()

    def _pass_on(self) -> None:
        try:
            while chunk := self._ours.recv(CHUNK):
                while chunk:
                    chunk = chunk[os.write(self._client, chunk) :]
        except OSError:
            pass  # the client is gone
        self.end()

    def finish(self) -> None:
        """Nothing more will be written: what was is passed on, and then it is the end."""
        try:
            self._theirs.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it was the end already

    def end(self) -> None:
        """Who writes now, or from now on, is told that nobody is there."""
        try:
            self._ours.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # once is enough
        self._on_gone()
