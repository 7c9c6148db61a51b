"""A client's end of a child's terminal, after `attach`. Never waits. Imports leaves only."""

from __future__ import annotations

from typing import NamedTuple

from supervisor.control import client, protocol
from supervisor.control.client import Client
from supervisor.records import InstanceRecord

CHUNK = 65536


class News(NamedTuple):
    output: bytes
    typed: int
    """Bytes of what was sent that the child's terminal has taken, since the beginning."""
    ended: str | None
    """Why nothing follows."""


class Attached:
    def __init__(self, record: InstanceRecord, connection: Client) -> None:
        """Takes `connection` over, which has the result of `attach`; it is still the caller's to close."""
        self._record = record
        self._socket, received = connection.take_over()
        self._socket.setblocking(False)
        self._received = bytearray(received)
        self._unsent = bytearray()
        self.sent = 0
        """Bytes that were given to `send`."""

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def unsent(self) -> int:
        """How many bytes wait for the supervisor to take them; see `flush`."""
        return len(self._unsent)

    def send(self, keys: bytes) -> None:
        self.sent += len(keys)
        self._unsent += keys
        self.flush()

    def flush(self) -> None:
        """Send what can be sent now. That nobody is there any more shows when one reads."""
        try:
            while self._unsent:
                del self._unsent[: self._socket.send(self._unsent)]
        except BlockingIOError:
            pass
        except OSError:
            self._unsent.clear()

    def receive(self) -> list[News]:
        """What is there to be read. Raises NotRunning if the supervisor went away, or says what can't be
        understood."""
        try:
            chunk = self._socket.recv(CHUNK)
        except BlockingIOError:
            return self.waiting()
        except OSError:
            chunk = b""
        self._received += chunk
        news = self.waiting()
        if not chunk and not news:
            raise client.not_running(self._record, "it closed the connection")
        return news

    def waiting(self) -> list[News]:
        """What has been read and is whole. Raises NotRunning."""
        try:
            return list(iter(self._next, None))
        except protocol.BadMessageError as bad:
            raise client.not_running(self._record, f"it can't be understood: {bad.message}") from bad

    def _next(self) -> News | None:
        end = self._received.find(b"\n") + 1
        if not end:
            if len(self._received) > protocol.MAX_LINE:
                raise protocol.BadMessageError(protocol.PARSE_ERROR, "a line without end")
            return None
        count, typed, ended = protocol.parse_news(bytes(self._received[:end]))
        if len(self._received) < end + count:
            return None
        output = bytes(self._received[end : end + count])
        del self._received[: end + count]
        return News(output, typed, ended)
