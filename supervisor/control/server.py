"""The supervisor's end of the control socket.

The only file of the room that imports asyncio, with `stream.py`. Each connection is one task that answers its
requests in their order; nothing that a client sends, or fails to read, reaches beyond its own connection.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from supervisor import private
from supervisor.control import protocol
from supervisor.control.peer import peer_uid
from supervisor.control.protocol import Request
from supervisor.control.stream import Attach, Stream, carry
from supervisor.errors import PortsupError

Dispatch = Callable[[str, Mapping[str, Any]], Awaitable[Any]]
"""Method and params → result (JSON); raises PortsupError, KeyError for an unknown method, or
ValueError for wrong params."""

BugReport = Callable[[str, Exception], None]
"""Told of an exception that `dispatch` must not raise, with the method's name."""

MAX_CONNECTIONS = 250
"""At once; with StreamReader's buffers, the bound of what clients can make the supervisor keep."""

DRAIN_SECONDS = 5.0
"""How long a client may take to read an answer before it is dropped."""

CLOSE_SECONDS = 1.0
"""How long calls that are under way may take to answer once the server closes."""


class _Answer(NamedTuple):
    message: bytes
    stream: Stream | None = None
    """What the connection carries from then on."""


class _HungUpError(Exception):
    """The client is gone and nobody needs the answer."""


class ControlServer:
    """Listens on `path` and answers by `dispatch`."""

    def __init__(
        self,
        path: Path,
        dispatch: Dispatch,
        on_bug: BugReport | None = None,
        *,
        attach: Attach | None = None,
    ) -> None:
        """`attach` answers the method of that name."""
        self._path = path
        self._dispatch = dispatch
        self._attach = attach
        self._on_bug = on_bug
        self._server: asyncio.Server | None = None
        self._identity: tuple[int, int] | None = None
        self._connections: dict[asyncio.Task[Any], _Connection] = {}
        self._closing = False

    async def start(self) -> None:
        """Listen. A stale socket at the path is replaced: the caller holds the instance's lock.

        Raises PortsupError if the folder or the path can't be used.
        """
        listener = _bind(self._path)
        self._identity = _identity(self._path)
        self._server = await asyncio.start_unix_server(
            self._accept, sock=listener, limit=protocol.MAX_LINE, backlog=MAX_CONNECTIONS
        )

    async def restore(self) -> bool:
        """Listen anew if the socket is no longer at its path, as after a clean-up of /tmp; True if so.

        Connections that are open stay so. Raises PortsupError as `start` does.
        """
        if self._closing or self._server is None or _identity(self._path) == self._identity:
            return False
        await _stop_listening(self._server)
        await self.start()
        return True

    async def close(self) -> None:
        """Answer what is under way, close all connections, unlink the socket. Safe to call twice."""
        self._closing = True
        if self._server is not None:
            await _stop_listening(self._server)
        for connection in self._connections.values():
            connection.finish()
        await self._wait_for_connections()
        for task in self._connections:
            task.cancel()
        await self._wait_for_connections()
        if self._identity is not None and _identity(self._path) == self._identity:
            self._path.unlink(missing_ok=True)

    async def _wait_for_connections(self) -> None:
        if self._connections:
            await asyncio.wait(set(self._connections), timeout=CLOSE_SECONDS)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(reader, writer, self._answer)
        try:
            if self._closing or not _is_welcome(writer):
                return
            if len(self._connections) >= MAX_CONNECTIONS:
                await connection.refuse(f"{MAX_CONNECTIONS} clients are connected already: try again later")
                return
            task = asyncio.current_task()
            assert task is not None
            self._connections[task] = connection
            try:
                await connection.serve()
            finally:
                del self._connections[task]
        except (OSError, asyncio.CancelledError):
            pass  # the client went away or didn't read for too long, or the server closes
        finally:
            await connection.close()

    async def _answer(self, line: bytes, hangup: asyncio.Future[Any]) -> _Answer:
        try:
            request = protocol.parse_request(line)
        except protocol.BadMessageError as bad:
            return _Answer(protocol.error(bad.id, bad.code, bad.message))
        try:
            value, stream = await self._call(request, hangup)
        except PortsupError as failure:
            return _Answer(protocol.error(request.id, protocol.FAILED, failure.message, failure))
        except _HungUpError:
            return _Answer(b"")
        except ValueError as wrong:
            return _Answer(protocol.error(request.id, protocol.INVALID_PARAMS, f"wrong params: {wrong}"))
        except Exception as bug:
            return _Answer(self._excuse(request, bug))
        try:
            return _Answer(protocol.result(request.id, value), stream)
        except (TypeError, ValueError) as bug:
            return _Answer(self._excuse(request, bug))

    async def _call(self, request: Request, hangup: asyncio.Future[Any]) -> tuple[Any, Stream | None]:
        if request.method == protocol.ATTACH and self._attach is not None:
            return self._attach(request.params)
        call = asyncio.ensure_future(self._dispatch(request.method, request.params))
        try:
            if request.method in protocol.ABANDONABLE:
                await asyncio.wait({call, hangup}, return_when=asyncio.FIRST_COMPLETED)
                if not call.done() and hangup.result() is None:
                    raise _HungUpError
            return await call, None
        finally:
            call.cancel()

    def _excuse(self, request: Request, bug: Exception) -> bytes:
        if isinstance(bug, KeyError) and request.method not in protocol.METHODS:
            unknown = f"there is no method {request.method[:40]!r}"
            return protocol.error(request.id, protocol.METHOD_NOT_FOUND, unknown)
        if self._on_bug is not None:
            self._on_bug(request.method, bug)
        message = f"the supervisor failed inside ({type(bug).__name__})"
        return protocol.error(request.id, protocol.INTERNAL_ERROR, message)


class _Connection:
    """One client. Reads one line ahead while a call is under way, so that a hang-up is noticed."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        answer: Callable[[bytes, asyncio.Future[Any]], Awaitable[_Answer]],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._answer = answer
        self._upcoming: asyncio.Task[bytes | None] | None = None
        self._answering = False
        self._finishing = False
        self._overrun = False
        # With no high-water mark, drain() returns when the kernel has all of it: at most one answer
        # is ever kept here, and an abort loses nothing that was drained.
        writer.transport.set_write_buffer_limits(high=0)

    async def serve(self) -> None:
        """Answer until the client hangs up or `finish` is called. Raises OSError if it can't be answered."""
        upcoming = self._read_ahead()
        while (line := await upcoming) is not None and not self._finishing:
            self._answering = True
            upcoming = self._read_ahead()
            answer = await self._answer(line, upcoming)
            if answer.stream is not None:
                await self._become(answer.stream, answer.message, upcoming)
                return
            await self._send(answer.message)
            self._answering = False
        if self._overrun:
            await self.refuse(f"a request has at most {protocol.MAX_LINE} bytes")

    async def _become(self, stream: Stream, message: bytes, upcoming: asyncio.Task[bytes | None]) -> None:
        """No further call follows; what has been read ahead is for `stream` already."""
        try:
            upcoming.cancel()
            await asyncio.wait({upcoming})
            early = b"" if upcoming.cancelled() else upcoming.result()
            await self._send(message)
            if early is not None:
                await carry(stream, self._reader, self._writer, early)
        finally:
            stream.close()

    def finish(self) -> None:
        """Answer the call that is under way, then no further one."""
        self._finishing = True
        if not self._answering and self._upcoming is not None:
            self._upcoming.cancel()

    async def refuse(self, message: str) -> None:
        await self._send(protocol.error(None, protocol.INVALID_REQUEST, message))

    async def close(self) -> None:
        if self._upcoming is not None:
            self._upcoming.cancel()
        self._writer.transport.abort()
        try:
            await self._writer.wait_closed()
        except (OSError, asyncio.CancelledError):
            pass  # the end of the loop: in 3.11 asyncio trips over a connection's task that is cancelled

    def _read_ahead(self) -> asyncio.Task[bytes | None]:
        self._upcoming = asyncio.create_task(self._read_line())
        return self._upcoming

    async def _read_line(self) -> bytes | None:
        """The next request, or None at the end or at a line that is too long."""
        try:
            return await self._reader.readuntil(b"\n")
        except asyncio.LimitOverrunError:
            self._overrun = True
            return None
        except (asyncio.IncompleteReadError, OSError):
            return None

    async def _send(self, message: bytes) -> None:
        self._writer.write(message)
        async with asyncio.timeout(DRAIN_SECONDS):
            await self._writer.drain()


def _bind(path: Path) -> socket.socket:
    """A bound socket of mode 0600: until it listens nobody can connect, so no mode is open for a moment."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        private.bind_private(listener, path, "control socket")
    except BaseException:
        listener.close()
        raise
    return listener


async def _stop_listening(server: asyncio.Server) -> None:
    """A server that is closed under a connection just accepted leaves it half-made, and open for as long as
    the process lives (an assertion in asyncio's Server): such get one round of the loop first."""
    loop = asyncio.get_running_loop()
    for listener in server.sockets:
        loop.remove_reader(listener.fileno())
    await asyncio.sleep(0)
    server.close()


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_welcome(writer: asyncio.StreamWriter) -> bool:
    """Whether the client is this user or root. The folder's mode keeps others out as well."""
    return peer_uid(writer.get_extra_info("socket")) in (None, 0, os.geteuid())
