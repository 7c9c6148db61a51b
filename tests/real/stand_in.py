"""Instances as they look from outside: a real control socket, a real record, and a dispatch that says
what the test wants."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from supervisor import records
from supervisor.control.server import ControlServer, Dispatch
from supervisor.platform import Owner, os_facts
from supervisor.records import InstanceRecord
from supervisor.snapshot import InstanceSnapshot, ServiceSnapshot

T = TypeVar("T")
SECONDS = 20


class Loop:
    """An event loop in a thread of its own; servers that were started here are closed at the end."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="control servers")
        self._servers: list[ControlServer] = []

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(SECONDS)

    def start(self, coroutine: Coroutine[Any, Any, T]) -> Callable[[], T]:
        """Start it, and give a function that waits for its result."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        return lambda: future.result(SECONDS)

    def serve(self, path: Path, dispatch: Dispatch, **options: Any) -> ControlServer:
        server = ControlServer(path, dispatch, **options)
        self.run(server.start())
        self._servers.append(server)
        return server

    def tasks(self) -> int:
        """How many tasks are alive in the loop, beside the one that counts."""

        async def count() -> int:
            return len(asyncio.all_tasks()) - 1

        return self.run(count())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            for server in self._servers:
                self.run(server.close())
            self.run(_last_words())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(SECONDS)
            self._loop.close()


async def _last_words() -> None:
    """A connection that came while its server closed is closed two rounds of the loop later."""
    for _ in range(3):
        await asyncio.sleep(0)


def me() -> Owner:
    owner = os_facts.owner(os.getpid())
    assert owner is not None
    return owner


def record(folder: Path, instance: int = 1, **changes: Any) -> InstanceRecord:
    """The record of an instance whose supervisor is this process, with its socket below `folder`."""
    base = InstanceRecord(
        stack="test",
        config=str(folder / "services.toml"),
        instance=instance,
        instance_id=f"test-{instance}-abc123",
        supervisor=me(),
        uid=os.geteuid(),
        boot_id=os_facts.boot_id(),
        pidns=os_facts.pid_namespace(),
        netns=os_facts.net_namespace(),
        acquired_at=0.0,
        base_port=6000 + 100 * (instance - 1),
        socket=str(folder / "sockets" / f"{instance}.sock"),
        logs=str(folder / "logs"),
    )
    return base._replace(**changes)


def publish(locks: Path, *written: InstanceRecord) -> None:
    """Put records where every portsup looks for them."""
    locks.mkdir(exist_ok=True)
    for one in written:
        records.instance_file(locks, one.base_port).write_bytes(records.encode(one))


def service(name: str, port: int | None = None, **changes: Any) -> ServiceSnapshot:
    base = ServiceSnapshot(
        name=name,
        state="RUNNING",
        ready=True,
        pid=os.getpid(),
        ports={} if port is None else {"port": port},
        pools={} if port is None else {"port": (port,)},
        url=None if port is None else f"http://127.0.0.1:{port}",
        shield="none" if port is None else "up",
        restarts=0,
        uptime_s=1.0,
        exit=None,
        reason=None,
    )
    return base._replace(**changes)


def snapshot_of(
    record: InstanceRecord, *services: ServiceSnapshot, state: str = "running"
) -> InstanceSnapshot:
    return InstanceSnapshot(
        instance=record.instance,
        instance_id=record.instance_id,
        stack=record.stack,
        config=record.config,
        base_port=record.base_port,
        state=state,
        supervisor_pid=record.supervisor.pid,
        supervisor_started=record.supervisor.started / os_facts.TICKS_PER_SECOND,
        services=services,
    )


@dataclass
class Instance:
    """A dispatch that tells `services`, and `timings` for `stats`."""

    record: InstanceRecord
    services: tuple[ServiceSnapshot, ...] = ()
    timings: Mapping[str, Any] | None = None

    async def dispatch(self, method: str, params: Mapping[str, Any]) -> Any:
        answers = {
            "snapshot": snapshot_of(self.record, *self.services).to_json(),
            "stats": {"services": self.timings or {}},
        }
        return answers[method]


def raw_connection(path: str | Path) -> socket.socket:
    """A client that sends whatever a test likes."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(SECONDS)
    connection.connect(str(path))
    return connection


class Imposter:
    """Listens at `path` and answers the first line of each client with `reply`, or never (None).

    The reply may be another one for each client.
    """

    def __init__(self, path: str | Path, reply: bytes | None) -> None:
        Path(path).parent.mkdir(mode=0o700, exist_ok=True)
        self.reply = reply
        self._clients: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, name="imposter")

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._clients.append(client)
            if self.reply is not None:
                client.recv(65536)
                try:
                    client.sendall(self.reply)
                except OSError:
                    pass  # the client had enough
                client.close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(SECONDS)
        for client in self._clients:
            client.close()
