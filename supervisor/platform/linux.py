"""Linux: /proc, pidfds, prctl and netlink.

What is read from /proc may be gone by the next line: whoever vanishes, or may not be seen, reads as
None or nothing. Who can't be looked at for want of a descriptor doesn't: that raises OSError.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import stat
import time
from collections.abc import Collection, Iterator
from functools import cache
from typing import TYPE_CHECKING

from supervisor.errors import NO_DESCRIPTORS
from supervisor.platform import spares
from supervisor.platform.contract import KernelFacts, Listener, ListenerTable, Owner, Process

if TYPE_CHECKING:
    import socket

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

READ_BYTES = 65536

LISTS = 50
"""How often /proc is listed for one look at all processes, where new ones come faster than they are read."""


class Linux:
    """The contract on Linux 5.3 and later (pidfd_open)."""

    TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")

    def process(self, pid: int) -> Process | None:
        return _parse_stat(_read(f"/proc/{pid}/stat"))

    def owner(self, pid: int) -> Owner | None:
        found = self.process(pid)
        return None if found is None or found.zombie else found.owner

    def is_alive(self, owner: Owner) -> bool:
        return self.owner(owner.pid) == owner

    def age(self, owner: Owner) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME) - owner.started / self.TICKS_PER_SECOND

    def processes(self) -> Iterator[Process]:
        """Whoever forks and exits while we read on shows up anew in a later list: read lists until one
        holds nobody new."""
        listed: set[str] = set()
        for _ in range(LISTS):
            new = [name for name in os.listdir("/proc") if name.isdigit() and name not in listed]  # noqa: PTH208 - hot path
            if not new:
                return
            listed.update(new)
            for name in new:
                if found := self.process(int(name)):
                    yield found

    def children(self, pid: int) -> list[int]:
        if not _kernel_lists_children():
            return [process.pid for process in self.processes() if process.ppid == pid]
        lists = (_read(f"/proc/{pid}/task/{task}/children") for task in _names(f"/proc/{pid}/task"))
        return [int(child) for text in lists for child in text.split()]

    def children_file(self, pid: int) -> str | None:
        return f"/proc/{pid}/task/{pid}/children" if _kernel_lists_children() else None

    def environment(self, pid: int) -> dict[str, str]:
        entries = os.fsdecode(_read(f"/proc/{pid}/environ")).split("\0")
        return {name: value for name, equals, value in (entry.partition("=") for entry in entries) if equals}

    def environment_variable(self, pid: int, name: str) -> str | None:
        wanted = os.fsencode(name) + b"="
        for entry in _read(f"/proc/{pid}/environ").split(b"\0"):
            if entry.startswith(wanted):
                return os.fsdecode(entry[len(wanted) :])
        return None

    def command_line(self, pid: int) -> list[str]:
        text = _read(f"/proc/{pid}/cmdline")
        return [os.fsdecode(word) for word in text.rstrip(b"\0").split(b"\0")] if text else []

    def uid(self, pid: int) -> int | None:
        """The effective one. Not the owner of /proc/PID: that is root for a process that can't be dumped."""
        for line in _read(f"/proc/{pid}/status").splitlines():
            if line.startswith(b"Uid:"):
                return int(line.split()[2])
        return None

    def open_files(self, pid: int) -> set[tuple[int, int]]:
        paths = (path for path, target in _descriptors(pid) if target.startswith("/"))
        return {identity for path in paths if (identity := _regular_file(path))}

    def locked_files(self, pid: int) -> dict[tuple[int, int], int]:
        """By /proc/PID/fdinfo, which lists the locks of each descriptor's open file description. In a
        pid namespace the kernel prints 0 for a locker that is dead."""
        found = {}
        for path, target in _descriptors(pid):
            taker = _flock_taker(path) if target.startswith("/") else None
            if taker is not None and (identity := _regular_file(path)):
                found[identity] = taker
        return found

    def open_sockets(self, pid: int) -> set[int]:
        return {
            int(target.removeprefix("socket:[").rstrip("]"))
            for _, target in _descriptors(pid)
            if target.startswith("socket:[")
        }

    def listeners(self, ports: Collection[int] | None = None) -> list[Listener]:
        from supervisor.platform import sockdiag

        return [found for found in spares.lend(sockdiag.listeners) if ports is None or found.port in ports]

    def listener_table(self, ports: range) -> ListenerTable:
        from supervisor.platform import sockdiag

        return sockdiag.Table(ports)

    def listen_beside(self, listening: socket.socket, backlog: int) -> socket.socket:
        from supervisor.platform import reuseport

        return reuseport.listen_beside(listening, backlog)

    def listen_alone(self, listening: socket.socket) -> None:
        from supervisor.platform import reuseport

        reuseport.listen_alone(listening)

    def waiting_connections(self, listening: socket.socket) -> int:
        from supervisor.platform import reuseport

        return reuseport.waiting_connections(listening)

    def unheard_connections(self, port: int, young: float) -> int:
        from supervisor.platform import sockdiag

        try:
            return sockdiag.unheard(port, young)
        except OSError:
            return 0

    def become_subreaper(self) -> None:
        _prctl(PR_SET_CHILD_SUBREAPER, 1)

    def die_with_parent(self, signum: int) -> None:
        _prctl(PR_SET_PDEATHSIG, signum)

    def send_signal(self, owner: Owner, signum: int) -> bool:
        """Through a pidfd: between the check and the signal the pid can't come to mean another process."""
        try:
            return spares.lend(self._send_signal, owner, signum)
        except OSError as error:
            _unless_exhausted(error)
            return False

    def _send_signal(self, owner: Owner, signum: int) -> bool:
        pidfd = os.pidfd_open(owner.pid)
        try:
            if not self.is_alive(owner):
                return False
            signal.pidfd_send_signal(pidfd, signum)
            return True
        finally:
            os.close(pidfd)

    def keep_spares(self) -> None:
        spares.keep()

    def expect_descriptors(self, count: int) -> None:
        # The kernel's table grows when a number is beyond its end. In a process with threads that waits until
        # no processor uses the old table any more (synchronize_rcu): 5 to 20 ms, in the middle of the spawns.
        with contextlib.suppress(OSError):  # more than the limit: then there won't be so many
            low = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.close(fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, count))
            finally:
                os.close(low)

    def open_exit_fd(self, pid: int) -> int:
        return os.pidfd_open(pid)

    def boot_id(self) -> str:
        return _read("/proc/sys/kernel/random/boot_id").decode().strip()

    def pid_namespace(self) -> str:
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115 - "pid:[4026531836]" is no path

    def net_namespace(self) -> str:
        return os.readlink("/proc/self/ns/net")  # noqa: PTH115

    def kernel(self) -> KernelFacts:
        from supervisor.platform import kernel

        return kernel.facts()


def _read(path: str) -> bytes:
    """All of a /proc file; empty if it is gone or may not be read."""
    try:
        return spares.lend(_read_all, path)
    except OSError as error:
        _unless_exhausted(error)
        return b""


def _read_all(path: str) -> bytes:
    # Not by open(), which asks the kernel for three more things that are no news of a /proc file.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        pieces = []
        while piece := os.read(descriptor, READ_BYTES):
            pieces.append(piece)
        return b"".join(pieces)
    finally:
        os.close(descriptor)


def _names(folder: str) -> list[str]:
    try:
        return spares.lend(os.listdir, folder)
    except OSError as error:
        _unless_exhausted(error)
        return []


def _unless_exhausted(error: OSError) -> None:
    """Raises it again if it says nothing about the process that was looked at."""
    if error.errno in NO_DESCRIPTORS:
        raise error


def _descriptors(pid: int) -> Iterator[tuple[str, str]]:
    """Path in /proc, and what it leads to, of every descriptor that `pid` has open."""
    for name in _names(f"/proc/{pid}/fd"):
        path = f"/proc/{pid}/fd/{name}"
        with contextlib.suppress(OSError):
            yield path, os.readlink(path)  # noqa: PTH115 - "socket:[1234]" is no path


def _flock_taker(descriptor: str) -> int | None:
    """From proc_pid_fdinfo(5): "lock: 1: FLOCK  ADVISORY  WRITE 411 fe:00:123 0 EOF"."""
    for line in _read(descriptor.replace("/fd/", "/fdinfo/")).splitlines():
        words = line.split()
        if words[:1] == [b"lock:"] and words[2:3] == [b"FLOCK"]:
            return int(words[5])
    return None


def _regular_file(descriptor: str) -> tuple[int, int] | None:
    """(device, inode) of what a /proc/PID/fd/N leads to, also of a deleted file."""
    try:
        status = os.stat(descriptor)  # noqa: PTH116
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None


def _parse_stat(text: bytes) -> Process | None:
    """proc_pid_stat(5). The name in parentheses may hold spaces and parentheses: count from the last one."""
    head, found, tail = text.rpartition(b")")
    if not found:
        return None
    fields = tail.split()
    state = fields[0].decode()
    if state == "Z" and int(fields[17]) > 1:
        state = "S"  # only the first thread has ended: the process goes on, with all its descriptors
    return Process(
        pid=int(head.split(b" ", 1)[0]),
        ppid=int(fields[1]),
        pgid=int(fields[2]),
        sid=int(fields[3]),
        state=state,
        started=int(fields[19]),
    )


@cache
def _kernel_lists_children() -> bool:
    """Whether the kernel was built with CONFIG_PROC_CHILDREN."""
    pid = os.getpid()
    return os.path.exists(f"/proc/{pid}/task/{pid}/children")  # noqa: PTH110


def _prctl(option: int, value: int) -> None:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)):
        errno = ctypes.get_errno()
        raise OSError(errno, os.strerror(errno))
