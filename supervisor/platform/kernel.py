"""What this Linux offers, and what it keeps from this process: for `portsup doctor`."""

from __future__ import annotations

import ctypes
import os
import re
import resource
from collections.abc import Iterator
from pathlib import Path

from supervisor.platform import sockdiag
from supervisor.platform.contract import Allowance, KernelFacts

PR_GET_CHILD_SUBREAPER = 37

CAP_NET_BIND_SERVICE = 10
CAP_SYS_PTRACE = 19
CAP_SYS_ADMIN = 21
CAP_SYS_RESOURCE = 24

CGROUPS = Path("/sys/fs/cgroup")


def facts() -> KernelFacts:
    return KernelFacts(
        pidfd=_opens_pidfds(),
        subreaper=_knows_subreapers(),
        sock_diag=_answers_by_netlink(),
        lists_children=_lists_children(),
        lowest_port=_lowest_port(),
        reserved_ports=reserved_ports(_text("/proc/sys/net/ipv4/ip_local_reserved_ports")),
        hides_processes=hides(_text("/proc/self/mounts")) and not _has_capability(CAP_SYS_PTRACE),
        allowances=(*_user_limit(), *cgroup_limits(CGROUPS, _text("/proc/self/cgroup"))),
    )


def _text(path: str) -> str:
    """Empty where there is no such file, or it may not be read."""
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def _opens_pidfds() -> bool:
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        return False
    return True


def _knows_subreapers() -> bool:
    """Asked for, not set."""
    answer = ctypes.c_int()
    nothing = ctypes.c_ulong(0)
    libc = ctypes.CDLL(None)
    return bool(libc.prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(answer), nothing, nothing, nothing) == 0)


def _answers_by_netlink() -> bool:
    try:
        list(sockdiag.by_netlink())
    except OSError:
        return False
    return True


def _lists_children() -> bool:
    pid = os.getpid()
    return os.path.exists(f"/proc/{pid}/task/{pid}/children")  # noqa: PTH110


def _has_capability(number: int) -> bool:
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", _text("/proc/self/status"), re.MULTILINE)
    return found is not None and bool(int(found[1], 16) >> number & 1)


def _lowest_port() -> int:
    first_for_all = _text("/proc/sys/net/ipv4/ip_unprivileged_port_start").strip()
    if _has_capability(CAP_NET_BIND_SERVICE):
        return 1
    return max(int(first_for_all or 1024), 1)


def reserved_ports(text: str) -> tuple[range, ...]:
    """From the form of ip_local_reserved_ports: "8080,9000-9002"."""
    spans = [part.partition("-") for part in text.strip().split(",") if part]
    return tuple(range(int(low), int(high or low) + 1) for low, _, high in spans)


def hides(mounts: str) -> bool:
    """Whether /proc is mounted with hidepid: proc(5). A later mount covers an earlier one."""
    options = [line.split()[3] for line in mounts.splitlines() if line.split()[1:3] == ["/proc", "proc"]]
    return bool(options) and re.search(r"\bhidepid=(?!0|off)", options[-1]) is not None


def _user_limit() -> Iterator[Allowance]:
    """RLIMIT_NPROC counts the threads of a user, and doesn't bind root: setrlimit(2)."""
    limit = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    exempt = os.getuid() == 0 or _has_capability(CAP_SYS_ADMIN) or _has_capability(CAP_SYS_RESOURCE)
    if limit != resource.RLIM_INFINITY and not exempt:
        yield Allowance("this user (RLIMIT_NPROC)", _threads_of(os.getuid()), limit)


def _threads_of(uid: int) -> int:
    total = 0
    for name in os.listdir("/proc"):  # noqa: PTH208
        status = _text(f"/proc/{name}/status") if name.isdigit() else ""
        told = re.search(r"^Uid:\s*(\d+).*^Threads:\s*(\d+)", status, re.MULTILINE | re.DOTALL)
        if told and int(told[1]) == uid:
            total += int(told[2])
    return total


def cgroup_limits(mount: Path, membership: str) -> Iterator[Allowance]:
    """The pids controller's limits on this process: those of its cgroup and of all above it.

    `membership` is the text of /proc/self/cgroup; `mount` is where version 2, or version 1 with a folder
    for each controller, is mounted.
    """
    for line in membership.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "pids"):
            top = mount / controllers
            own = top / path.lstrip("/")
            for folder in (own, *own.parents):
                yield from _cgroup_limit(folder)
                if folder == top:
                    break


def _cgroup_limit(folder: Path) -> Iterator[Allowance]:
    limit, used = _text(f"{folder}/pids.max").strip(), _text(f"{folder}/pids.current").strip()
    if limit.isdigit() and used.isdigit():
        yield Allowance(f"the cgroup {folder}", int(used), int(limit))
