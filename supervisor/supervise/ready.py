"""When is a child ready: the checks of `ready = …`, each a coroutine that returns once it is.

The unit bounds them by `ready.timeout` and cancels them. A check remembers why it was not ready at
the last look, for the error.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from supervisor.config.model import Ready, ReadyKind
from supervisor.plan.plan import HOST
from supervisor.private import bind_private
from supervisor.process.child import Child

FIRST_WAIT, LAST_WAIT, GROWTH = 0.01, 0.25, 1.5
"""Seconds between two looks: short at first, since a start should feel instant."""

LOOK_TIMEOUT = 2.0
"""Seconds that one look may take; a server that hangs is asked again."""


DATAGRAMS = 1000
"""Read at a time, so that a flood can't hold us: more than a queue holds."""


class NotReadyError(Exception):
    """One look that found it not ready, with the reason."""


class Check(Protocol):
    async def look(self) -> None:
        """Return if it is ready, else raise NotReadyError."""
        ...


class Waiter:
    """Looks again and again until the check is satisfied."""

    def __init__(self, check: Check, *, look_timeout: float | None = LOOK_TIMEOUT) -> None:
        """`look_timeout` in seconds bounds one look; None: it may take all of `ready.timeout`."""
        self._check = check
        self._look_timeout = look_timeout
        self.last = "no answer yet"

    async def wait(self) -> None:
        pause = FIRST_WAIT
        while True:
            try:
                async with asyncio.timeout(self._look_timeout):
                    await self._check.look()
                return
            except NotReadyError as reason:
                self.last = str(reason)
            except TimeoutError:
                self.last = f"no answer within {self._look_timeout:g} s"
            await asyncio.sleep(pause)
            pause = min(pause * GROWTH, LAST_WAIT)


async def _connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """To the port on 127.0.0.1, else on ::1: a server for "localhost" may take either."""
    for host in (HOST, "::1"):
        try:
            reader, writer = await asyncio.open_connection(host, port)
        except OSError as error:
            refused = error
            continue
        if writer.get_extra_info("sockname") != writer.get_extra_info("peername"):
            return reader, writer
        # To a port in the ephemeral range where nobody listens, the kernel can connect us to ourselves.
        writer.close()
        refused = ConnectionRefusedError(errno.ECONNREFUSED, "only ourselves")
    # asyncio words its own message around the errno, with the address in it
    raise NotReadyError(f"port {port}: {os.strerror(refused.errno) if refused.errno else refused}")


class TcpCheck:
    """Accepts a connection. We close first, so that the server keeps no TIME_WAIT on its port."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def look(self) -> None:
        _, writer = await _connect(self._port)
        writer.close()


class HttpCheck:
    """Answers 2xx or 3xx. HTTP/1.1 without `Connection: close`, so that we close first here too."""

    def __init__(self, port: int, path: str) -> None:
        self._port = port
        self._request = (
            f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nUser-Agent: portsup\r\nAccept: */*\r\n\r\n"
        )

    async def look(self) -> None:
        reader, writer = await _connect(self._port)
        try:
            writer.write(self._request.encode())
            line = (await reader.readline()).decode("latin-1").strip()
        except (OSError, ValueError) as error:
            raise NotReadyError(f"HTTP on port {self._port}: {error}") from error
        finally:
            writer.close()
        if not re.match(r"HTTP/\d\.\d [23]\d\d\b", line):
            raise NotReadyError(f"HTTP on port {self._port} answered {line[:80]!r}")


class ExecCheck:
    """A command that exits 0, run where and as the service runs."""

    def __init__(self, run: Callable[[], Child]) -> None:
        """`run` spawns it as a part of the unit's tree."""
        self._run = run

    async def look(self) -> None:
        child = self._run()
        try:
            await asyncio.shield(exited(child))
        except BaseException:
            child.signal_group(signal.SIGKILL)
            raise
        result = child.poll()
        if result is None or not result.ok:
            raise NotReadyError(f"the ready command ended with {result}")


def exited(child: Child) -> asyncio.Future[None]:
    """Done once the child has exited. What it prints is thrown away.

    Its descriptors are closed then and not before, whoever has given up waiting: a number that were
    closed under the selector's eyes would make it deaf for the next file that gets it.
    """
    loop = asyncio.get_running_loop()
    gone = loop.create_future()

    def look() -> None:
        if child.poll() is not None:
            loop.remove_reader(child.exit_fd)
            loop.remove_reader(child.output_fd)
            child.close()
            gone.set_result(None)

    def discard() -> None:
        try:
            if not os.read(child.output_fd, 65536):
                loop.remove_reader(child.output_fd)
        except BlockingIOError:
            pass

    loop.add_reader(child.exit_fd, look)
    loop.add_reader(child.output_fd, discard)
    return gone


class LogCheck:
    """A line of output that the regular expression finds. A sink of whole lines."""

    def __init__(self, pattern: str) -> None:
        self._pattern = re.compile(pattern)
        self._seen = asyncio.Event()

    def __call__(self, lines: bytes) -> None:
        if not self._seen.is_set() and any(
            map(self._pattern.search, lines.decode(errors="replace").split("\n"))
        ):
            self._seen.set()

    async def wait(self) -> None:
        await self._seen.wait()


class NotifySocket:
    """systemd's readiness protocol, sd_notify(3): a datagram with READY=1 to $NOTIFY_SOCKET.

    Read for as long as it is open: a service goes on to tell its STATUS, and would hang once the queue
    (net.unix.max_dgram_qlen, often 10) is full.
    """

    def __init__(self, path: Path) -> None:
        """Raises PortsupError."""
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            bind_private(self._socket, path, "notify socket")
        except BaseException:
            self._socket.close()
            raise
        self._ready = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._socket, self._receive)

    def forget(self) -> None:
        """Drop what an earlier child sent."""
        self._receive()
        self._ready.clear()

    def _receive(self) -> None:
        for _ in range(DATAGRAMS):
            try:
                datagram = self._socket.recv(4096)
            except BlockingIOError:
                return
            if b"READY=1" in datagram.split(b"\n"):
                self._ready.set()

    async def wait(self) -> None:
        await self._ready.wait()

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()
        self.path.unlink(missing_ok=True)


class Waits(Protocol):
    async def wait(self) -> None: ...


def waits_for(
    ready: Ready, port: int | None, run_command: Callable[[], Child], notify: NotifySocket | None
) -> Waits | None:
    """What to wait for; None if being spawned is enough. HTTP and TCP ask the main `port`."""
    match ready.kind:
        case ReadyKind.HTTP if port is not None:
            return Waiter(HttpCheck(port, ready.path))
        case ReadyKind.TCP if port is not None:
            return Waiter(TcpCheck(port))
        case ReadyKind.EXEC:
            return Waiter(ExecCheck(run_command), look_timeout=None)
        case ReadyKind.LOG:
            return LogCheck(ready.pattern)
        case ReadyKind.NOTIFY:
            return notify
        case _:
            return None


def explain(ready: Ready, waits: Waits) -> str:
    """Why it isn't ready, for the error."""
    if isinstance(waits, Waiter):
        return waits.last
    if ready.kind is ReadyKind.LOG:
        return f"no line matched {ready.pattern!r}"
    return "no READY=1 came"
