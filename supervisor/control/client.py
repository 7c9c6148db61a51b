"""Asking a running instance. Synchronous: a command needs no event loop. Imports leaves only."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from supervisor.control import protocol
from supervisor.control.peer import peer_uid
from supervisor.errors import NotRunning, PortsupError
from supervisor.platform import os_facts
from supervisor.records import Holder, InstanceRecord
from supervisor.snapshot import InstanceSnapshot, ServiceSnapshot

CHUNK = 65536
STARTING_SECONDS = 10.0
"""How long an instance may be without a control socket after it has claimed its number."""

LOOK_EVERY = 0.01
"""Seconds between two looks for a control socket."""

GRACE = 5.0
"""Seconds that a `wait` may be answered later than it was told to give up."""


class Client:
    """A connection to one instance's control socket. Not for several threads at once."""

    def __init__(self, record: InstanceRecord, *, timeout: float = 5.0) -> None:
        """Raises NotRunning if nobody answers there; connecting never waits.

        `timeout` in seconds holds for each call that isn't given one.
        """
        self._record = record
        self._timeout = timeout
        self._last_id = 0
        self._unanswered: set[int] = set()
        self._received = bytearray()
        self._socket = _connect(record)

    def call(self, method: str, *, timeout: float | None = None, **params: Any) -> Any:
        """Raises the PortsupError that the supervisor answered, or NotRunning if it went away.

        `timeout` in seconds, for this call; without it the client's own, or none for a method that is
        answered when it is done (`protocol.UNHURRIED`).
        """
        id_ = self.ask(method, params)
        if timeout is None and method not in protocol.UNHURRIED:
            timeout = self._timeout
        return self.answer(id_, None if timeout is None else time.monotonic() + timeout)

    def wait(self, timeout: float | None) -> Any:
        """Call `wait`, whose own param is called timeout: the supervisor answers after so many seconds
        at the latest, whether the instance is ready by then or not."""
        id_ = self.ask("wait", {"timeout": timeout})
        return self.answer(id_, None if timeout is None else time.monotonic() + timeout + GRACE)

    def ask(self, method: str, params: Mapping[str, Any]) -> int:
        """Send a request and return its id, for `answer`. Raises NotRunning."""
        self._last_id += 1
        try:
            self._socket.settimeout(self._timeout)
            self._socket.sendall(protocol.request(self._last_id, method, params))
        except ConnectionError:
            pass  # it hung up; `answer` reads what it may have said before
        except OSError as failure:
            raise not_running(self._record, _reason(failure)) from failure
        self._unanswered.add(self._last_id)
        return self._last_id

    def answer(self, id_: int, deadline: float | None) -> Any:
        """The result of request `id_`, until `deadline` on the monotonic clock. Raises as `call` does.

        Past its deadline it still takes what has arrived. Answers to earlier requests, which nobody
        waited for to the end, are skipped.
        """
        reply = self._read_reply(deadline)
        while reply.id != id_ and reply.id in self._unanswered:
            self._unanswered.remove(reply.id)
            reply = self._read_reply(deadline)
        self._unanswered.discard(id_)
        if reply.failure is not None:
            raise reply.failure
        if reply.id != id_:
            raise not_running(self._record, "it answers what it wasn't asked")
        return reply.result

    def take_over(self) -> tuple[socket.socket, bytes]:
        """After `attach`: the socket, and what has come behind the result."""
        return self._socket, bytes(self._received)

    def fileno(self) -> int:
        """Of the socket, for whoever waits until an answer begins."""
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read_reply(self, deadline: float | None) -> protocol.Reply:
        try:
            return protocol.parse_reply(self._read_line(deadline))
        except protocol.BadMessageError as bad:
            raise not_running(self._record, f"its answer can't be understood: {bad.message}") from bad

    def _read_line(self, deadline: float | None) -> bytes:
        searched = 0
        while (end := self._received.find(b"\n", searched)) < 0:
            searched = len(self._received)
            if searched > protocol.MAX_REPLY:
                raise not_running(self._record, "its answer has no end")
            self._received += self._read(deadline)
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        return line

    def _read(self, deadline: float | None) -> bytes:
        try:
            self._socket.settimeout(None if deadline is None else max(0.0, deadline - time.monotonic()))
            chunk = self._socket.recv(CHUNK)
        except OSError as failure:
            raise not_running(self._record, _reason(failure)) from failure
        if not chunk:
            raise not_running(self._record, "it closed the connection")
        return chunk


def reach(record: InstanceRecord) -> Client:
    """A connection to an instance that may have been started just now: waits for its control socket.

    Raises NotRunning as Client does.
    """
    while True:
        try:
            return Client(record)
        except NotRunning:
            if not is_starting(record):
                raise
        time.sleep(LOOK_EVERY)


def snapshot(record: InstanceRecord, *, timeout: float = 2.0) -> InstanceSnapshot:
    """The instance as it is now, or `absent` if it doesn't answer within `timeout` seconds."""
    try:
        with Client(record, timeout=timeout) as client:
            return read_snapshot(record, client.call("snapshot"))
    except PortsupError:
        return absent(record)


def read_snapshot(record: InstanceRecord, answer: Any) -> InstanceSnapshot:
    """What `snapshot` answered. Raises NotRunning if it is something else."""
    try:
        return InstanceSnapshot.from_json(answer)
    except ValueError as wrong:
        raise not_running(record, "its snapshot can't be understood") from wrong


REACHED: Mapping[str, Callable[[ServiceSnapshot], bool]] = {
    "start": lambda service: service.is_up,
    "stop": lambda service: service.is_over,
    "restart": lambda service: service.is_up,
}
"""Whether a service is where the call was to bring it."""


def read_services(record: InstanceRecord, answer: Any) -> list[ServiceSnapshot]:
    """What `start`, `stop` and `restart` answered. Raises NotRunning if it is something else."""
    try:
        return [ServiceSnapshot.from_json(service) for service in answer["services"]]
    except (KeyError, TypeError, ValueError) as wrong:
        raise not_running(record, "its answer can't be understood") from wrong


def read_variables(record: InstanceRecord, answer: Any) -> dict[str, str]:
    """What `env` answered. Raises NotRunning for what can't be a process's environment."""
    if not isinstance(answer, dict) or not all(map(_is_variable, answer, answer.values())):
        raise not_running(record, "its variables can't be understood")
    return answer


def _is_variable(name: str, value: Any) -> bool:
    if not isinstance(value, str) or not name or "=" in name or "\0" in name + value:
        return False
    try:
        os.fsencode(name + value)
    except UnicodeEncodeError:
        return False
    return True


def absent(record: InstanceRecord) -> InstanceSnapshot:
    """An instance that doesn't answer, without services."""
    return InstanceSnapshot(
        instance=record.instance,
        instance_id=record.instance_id,
        stack=record.stack,
        config=record.config,
        base_port=record.base_port,
        state=_state_of_absent(record),
        supervisor_pid=record.supervisor.pid,
        supervisor_started=record.supervisor.started / os_facts.TICKS_PER_SECOND,
    )


def _state_of_absent(record: InstanceRecord) -> str:
    """ "dead" with its supervisor, "suspended" with it, "starting" while it is too young to answer, else
    "unreachable"."""
    if is_dead(record):
        return "dead"
    if is_suspended(record):
        return "suspended"
    return "starting" if is_starting(record) else "unreachable"


def is_dead(record: Holder) -> bool:
    """Whether the supervisor is known to be dead: in another pid namespace, its pid says nothing."""
    if record.boot_id != os_facts.boot_id():
        return True
    return record.pidns == os_facts.pid_namespace() and not os_facts.is_alive(record.supervisor)


def is_suspended(record: InstanceRecord) -> bool:
    """Whether the supervisor is known to be stopped, as Ctrl-Z does it: it answers only once it goes on."""
    if is_dead(record) or record.pidns != os_facts.pid_namespace():
        return False
    found = os_facts.process(record.supervisor.pid)
    return found is not None and found.state == "T"


def is_starting(record: InstanceRecord) -> bool:
    """Whether it has claimed its number just now, and its control socket isn't there yet."""
    age = time.time() - record.acquired_at
    return (
        0 <= age < STARTING_SECONDS
        and _lacks_socket(record)
        and not is_dead(record)
        and not is_suspended(record)
    )


def _lacks_socket(record: InstanceRecord) -> bool:
    try:
        os.lstat(record.socket)
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False
    return False


def may_ask(record: InstanceRecord) -> bool:
    """Whether the instance is this user's own; root may ask everyone's."""
    return os.geteuid() in (0, record.uid)


def not_running(record: InstanceRecord, reason: str) -> NotRunning:
    message = f"cannot reach instance {record.instance} of {record.stack}: {reason}"
    pid = record.supervisor.pid
    if is_dead(record):
        return NotRunning(
            message,
            details=[f"its supervisor (pid {pid}) is dead"],
            hint="`portsup prune` clears away what it left",
        )
    if is_suspended(record):
        return suspended(record)
    alive = "is alive" if os_facts.is_alive(record.supervisor) else "can't be seen from here"
    return NotRunning(message, details=[f"its supervisor (pid {pid}) {alive}"], hint=f"see {record.logs}")


def suspended(record: InstanceRecord) -> NotRunning:
    """What to say of an instance whose supervisor is stopped. In the foreground its guard is too, so that
    the whole process group must go on."""
    pid = record.supervisor.pid
    found = os_facts.process(pid)
    group = found.pgid if found is not None else pid
    return NotRunning(
        f"cannot reach instance {record.instance} of {record.stack}: its supervisor (pid {pid}) is suspended",
        hint=f"it is suspended (Ctrl-Z): `fg` in its terminal, or `kill -CONT -{group}`",
    )


def _connect(record: InstanceRecord) -> socket.socket:
    if not may_ask(record):
        raise not_running(record, f"it belongs to the user with uid {record.uid}")
    if is_suspended(record):
        raise suspended(record)  # the kernel would connect, and nobody answer
    try:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    except OSError as failure:
        raise not_running(record, _reason(failure)) from failure
    try:
        connection.setblocking(False)  # where the backlog is full, the supervisor hangs
        connection.connect(record.socket)
        if peer_uid(connection) not in (None, record.uid):
            raise not_running(record, "another user's process listens on its control socket")
    except (OSError, ValueError) as failure:
        connection.close()
        raise not_running(record, _reason(failure)) from failure
    except NotRunning:
        connection.close()
        raise
    return connection


def _reason(failure: Exception) -> str:
    match failure:
        case FileNotFoundError():
            return "its control socket is gone"
        case ConnectionRefusedError():
            return "nobody listens on its control socket"
        case TimeoutError() | BlockingIOError():
            return "no answer in time"
        case ConnectionError():
            return "it closed the connection"
        case OSError(strerror=str(text)):
            return text
        case _:
            return "its record names no usable socket"
