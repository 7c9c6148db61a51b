"""The server on standard input and output, until the client closes our input, SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading

from mcp.server import MCPServer

from supervisor.errors import ExitCode, UsageError

CHUNK = 65536

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

    def end(signum: signal.Signals) -> None:
        nonlocal code
        code = EXIT_CODES[signum]
        stdin.end()

    loop = asyncio.get_running_loop()
    for signum in EXIT_CODES:
        loop.add_signal_handler(signum, end, signum)
    await server.run_stdio_async()
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
