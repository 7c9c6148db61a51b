"""What portsup asks of an operating system, on facts only: processes, and sockets that listen.

Leaf. `supervisor.platform` is one implementation of `Platform`; nothing else in the project looks
at `sys.platform`, reads /proc or speaks netlink.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import socket


class Owner(NamedTuple):
    """A process named so that a recycled pid is never taken for it.

    `started` is in clock ticks since boot (`/proc/PID/stat`, field 22): psutil's create_time follows
    the wall clock and changes when that is set.
    """

    pid: int
    started: int


class Process(NamedTuple):
    """One look at a live process or zombie."""

    pid: int
    ppid: int
    pgid: int
    sid: int
    state: str
    started: int

    @property
    def owner(self) -> Owner:
        return Owner(self.pid, self.started)

    @property
    def zombie(self) -> bool:
        """Dead, only its exit status is left: nobody to signal, no descriptor held."""
        return self.state in ("Z", "X", "x")


class Listener(NamedTuple):
    """A TCP socket that listens, as the kernel's table shows it."""

    address: str
    port: int
    inode: int
    uid: int


class Allowance(NamedTuple):
    """How many processes and threads somebody may have."""

    of: str
    used: int
    limit: int


class KernelFacts(NamedTuple):
    """What the kernel offers, and what it keeps from this process."""

    pidfd: bool
    subreaper: bool
    sock_diag: bool
    lists_children: bool
    lowest_port: int
    """On which this process may listen."""
    reserved_ports: tuple[range, ...]
    """Which the kernel never gives to outgoing connections."""
    hides_processes: bool
    """Those of other users, from this one."""
    allowances: tuple[Allowance, ...]


class ListenerTable(Protocol):
    """For whoever looks again and again."""

    def read(self) -> Sequence[Listener]:
        """The listeners; the very same object as the last time where it is known that nothing has changed."""
        ...

    def close(self) -> None: ...


class Platform(Protocol):
    """The contract. Functions that look return None or nothing for what is gone or may not be seen."""

    TICKS_PER_SECOND: int

    def process(self, pid: int) -> Process | None: ...

    def owner(self, pid: int) -> Owner | None:
        """The owner that `pid` names now; None once it is gone, also for a zombie."""
        ...

    def is_alive(self, owner: Owner) -> bool:
        """Whether that very process lives (a zombie does not)."""
        ...

    def age(self, owner: Owner) -> float:
        """Seconds since it was started, in this boot: the wall clock may have jumped since."""
        ...

    def processes(self) -> Iterable[Process]:
        """Every process on the machine that can be seen."""
        ...

    def children(self, pid: int) -> list[int]:
        """Direct children, zombies included."""
        ...

    def children_file(self, pid: int) -> str | None:
        """A file that says the same, in pids with spaces between, for a `pid` that has one thread; None
        where there is no such thing."""
        ...

    def environment(self, pid: int) -> dict[str, str]:
        """What the process was started with."""
        ...

    def environment_variable(self, pid: int, name: str) -> str | None:
        """The value that `name` had when `pid` last called exec."""
        ...

    def command_line(self, pid: int) -> list[str]: ...

    def uid(self, pid: int) -> int | None: ...

    def open_files(self, pid: int) -> set[tuple[int, int]]:
        """(device, inode) of every regular file that `pid` has open."""
        ...

    def locked_files(self, pid: int) -> dict[tuple[int, int], int]:
        """(device, inode) of every file on which `pid` holds a flock, by its own or an inherited
        descriptor, with the pid of the process that took the lock; 0 if that one is dead and can't be
        told. Whoever merely has the file open, to read it, is not among them.
        """
        ...

    def open_sockets(self, pid: int) -> set[int]:
        """Inodes of every socket that `pid` has open."""
        ...

    def listeners(self, ports: Collection[int] | None = None) -> list[Listener]:
        """TCP listeners on any address of this network namespace, all or those on `ports`."""
        ...

    def listener_table(self, ports: range) -> ListenerTable:
        """One to keep and to close, of the listeners on `ports`. Not for two processes or threads. Raises
        OSError if there is no descriptor for it."""
        ...

    def listen_beside(self, listening: socket.socket, backlog: int) -> socket.socket | None:
        """A second socket that listens on the same address, and gets all new connections from now on;
        None where the system can't do that. Raises OSError; `listen_alone` undoes the half of it then."""
        ...

    def listen_alone(self, listening: socket.socket) -> None:
        """After `listen_beside`, with the other one closed: nobody else may listen there any more. Raises
        OSError if somebody does by now."""
        ...

    def waiting_connections(self, listening: socket.socket) -> int:
        """Connections of a listening socket that nobody has accepted yet."""
        ...

    def unheard_connections(self, port: int, young: float) -> int:
        """IPv4 connections to `port` that were accepted, and of which something waits to be read, or nothing
        has come in the less than `young` seconds that they stand; 0 where that can't be told."""
        ...

    def become_subreaper(self) -> None:
        """Orphans below this process become its children instead of init's."""
        ...

    def die_with_parent(self, signum: int) -> None:
        """Ask the kernel to send `signum` to this process when its parent dies."""
        ...

    def send_signal(self, owner: Owner, signum: int) -> bool:
        """Signal that very process; False if it is gone or can't be signalled."""
        ...

    def keep_spares(self) -> None:
        """Keep descriptors back, with which this process can look and signal when it has no others."""
        ...

    def expect_descriptors(self, count: int) -> None:
        """This process will have so many. Call it before a thread is started."""
        ...

    def open_exit_fd(self, pid: int) -> int:
        """A descriptor (close-on-exec) that becomes readable when child `pid` exits."""
        ...

    def boot_id(self) -> str: ...

    def pid_namespace(self) -> str: ...

    def net_namespace(self) -> str: ...

    def kernel(self) -> KernelFacts | None:
        """None where nothing is known of it. Takes a while, and changes nothing."""
        ...
