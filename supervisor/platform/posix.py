"""macOS and other Unixes, as far as psutil sees them.

Written by the contract without such a machine at hand. Nothing here adopts orphans: the tree of a
unit is what psutil can still see below its child.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any
from zlib import crc32

from supervisor.platform.contract import Listener, ListenerTable, Owner, Process

if TYPE_CHECKING:
    import socket


class Posix:
    """The contract by psutil; times are ticks of 10 ms since the epoch, since psutil gives no other."""

    TICKS_PER_SECOND = 100

    def process(self, pid: int) -> Process | None:
        import psutil

        try:
            found = psutil.Process(pid)
            with found.oneshot():
                state = "Z" if found.status() == psutil.STATUS_ZOMBIE else "S"
                ppid, started = found.ppid(), round(found.create_time() * self.TICKS_PER_SECOND)
            return Process(pid, ppid, os.getpgid(pid), os.getsid(pid), state, started)
        except (psutil.Error, OSError):
            return None

    def owner(self, pid: int) -> Owner | None:
        found = self.process(pid)
        return None if found is None or found.zombie else found.owner

    def is_alive(self, owner: Owner) -> bool:
        return self.owner(owner.pid) == owner

    def age(self, owner: Owner) -> float:
        return time.time() - owner.started / self.TICKS_PER_SECOND

    def processes(self) -> Iterator[Process]:
        import psutil

        for pid in psutil.pids():
            if found := self.process(pid):
                yield found

    def children(self, pid: int) -> list[int]:
        return [process.pid for process in self.processes() if process.ppid == pid]

    def children_file(self, _pid: int) -> str | None:
        return None

    def environment(self, pid: int) -> dict[str, str]:
        variables: dict[str, str] = _ask(pid, "environ", {})
        return variables

    def environment_variable(self, pid: int, name: str) -> str | None:
        return self.environment(pid).get(name)

    def command_line(self, pid: int) -> list[str]:
        words: list[str] = _ask(pid, "cmdline", [])
        return words

    def uid(self, pid: int) -> int | None:
        uids = _ask(pid, "uids", None)
        return None if uids is None else int(uids.effective)

    def open_files(self, pid: int) -> set[tuple[int, int]]:
        found = set()
        for file in _ask(pid, "open_files", []):
            try:
                status = os.stat(file.path)  # noqa: PTH116
            except OSError:
                continue
            found.add((status.st_dev, status.st_ino))
        return found

    def locked_files(self, pid: int) -> dict[tuple[int, int], int]:  # noqa: ARG002
        """psutil can't tell."""
        return {}

    def open_sockets(self, pid: int) -> set[int]:
        """There are no socket inodes here: an address and port stand in for one, as in `listeners`."""
        return {_stand_in(*connection.laddr) for connection in _listening(pid)}

    def listeners(self, ports: Collection[int] | None = None) -> list[Listener]:
        """Only of processes whose sockets this user may see."""
        found = {}
        for process in self.processes():
            for connection in _listening(process.pid):
                address, port = connection.laddr
                if ports is None or port in ports:
                    inode = _stand_in(address, port)
                    found[inode] = Listener(address, port, inode, self.uid(process.pid) or 0)
        return list(found.values())

    def listener_table(self, ports: range) -> ListenerTable:
        return _Table(self, ports)

    def listen_beside(self, listening: socket.socket, backlog: int) -> None:
        """There is no way to lead all connections to one of two sockets."""

    def listen_alone(self, listening: socket.socket) -> None:
        """It always does."""

    def waiting_connections(self, listening: socket.socket) -> int:  # noqa: ARG002
        """Not told."""
        return 0

    def unheard_connections(self, port: int, young: float) -> int:  # noqa: ARG002
        """Not told."""
        return 0

    def become_subreaper(self) -> None:
        """No such thing outside Linux."""

    def die_with_parent(self, signum: int) -> None:
        """No such thing outside Linux: the guard's pipe is what tells."""

    def send_signal(self, owner: Owner, signum: int) -> bool:
        """Check, then kill: without pidfds a small window stays in which the pid could be recycled."""
        if not self.is_alive(owner):
            return False
        try:
            os.kill(owner.pid, signum)
        except OSError:
            return False
        return True

    def keep_spares(self) -> None:
        """Nothing is opened to look at a process here."""

    def expect_descriptors(self, count: int) -> None:
        """Not known to help here."""

    def open_exit_fd(self, pid: int) -> int:
        """A kqueue that waits for the exit: it polls as readable then. Raises OSError without kqueue."""
        kqueue: Any = getattr(select, "kqueue", None)
        if kqueue is None:
            raise OSError("this system has neither pidfds nor kqueue")
        constants: Any = select
        queue = kqueue()
        event = constants.kevent(
            pid,
            filter=constants.KQ_FILTER_PROC,
            flags=constants.KQ_EV_ADD,
            fflags=constants.KQ_NOTE_EXIT,
        )
        try:
            queue.control([event], 0)
            return os.dup(queue.fileno())
        finally:
            queue.close()

    def boot_id(self) -> str:
        import psutil

        return f"boot-{round(psutil.boot_time())}"

    def pid_namespace(self) -> str:
        return "pid"

    def net_namespace(self) -> str:
        return "net"

    def kernel(self) -> None:
        """None of what Linux has is used here."""


class _Table:
    def __init__(self, facts: Posix, ports: range) -> None:
        self._facts = facts
        self._ports = ports

    def read(self) -> list[Listener]:
        return self._facts.listeners(self._ports)

    def close(self) -> None:
        """Nothing is kept."""


def _ask(pid: int, method: str, default: Any) -> Any:
    import psutil

    try:
        return getattr(psutil.Process(pid), method)()
    except (psutil.Error, OSError):
        return default


def _listening(pid: int) -> list[Any]:
    import psutil

    found = _ask(pid, "net_connections", [])
    return [connection for connection in found if connection.status == psutil.CONN_LISTEN]


def _stand_in(address: str, port: int) -> int:
    return crc32(f"{address} {port}".encode())
