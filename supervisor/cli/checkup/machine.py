"""The machine: its Python, its kernel, its clock."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from supervisor.cli.checkup.finding import Finding, as_root, fail, ok, warn
from supervisor.platform.contract import KernelFacts

PYTHON = "python"
KERNEL = "kernel"
PROCESSES = "other users"
CLOCK = "clock"

NAMESAKE = "supervisor"
"""PyPI's Supervisor installs a package of the same name as ours."""


def python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if _is_installed(NAMESAKE):
        return fail(
            PYTHON,
            f"PyPI's Supervisor is in {sys.prefix}: both own the package {NAMESAKE!r}, and each overwrites "
            "files of the other",
            "give portsup an environment of its own",
            "pipx install --force portsup",
        )
    return ok(PYTHON, f"{version}, {sys.executable}")


def _is_installed(distribution: str) -> bool:
    from importlib import metadata

    try:
        metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def kernel(facts: KernelFacts | None) -> Finding:
    """The features that the promises rest on."""
    if facts is None:
        return warn(KERNEL, "this is no Linux: whoever leaves the session of its service can't be found")
    needed = {"pidfds (Linux 5.3)": facts.pidfd, "child subreapers (Linux 3.4)": facts.subreaper}
    if lacking := [name for name, there in needed.items() if not there]:
        return fail(
            KERNEL,
            f"without {' and '.join(lacking)} no instance can be watched",
            "use a newer kernel, or a sandbox that lets these calls through",
        )
    slower = {
        "sock_diag (listeners are read from /proc/net)": facts.sock_diag,
        "CONFIG_PROC_CHILDREN (children are searched in all of /proc)": facts.lists_children,
    }
    if lacking := [name for name, there in slower.items() if not there]:
        return warn(
            KERNEL, f"without {' and '.join(lacking)} watching costs more time", "nothing else suffers"
        )
    return ok(KERNEL, "pidfds, subreapers, sock_diag and lists of children are there")


def processes(facts: KernelFacts) -> Finding:
    if not facts.hides_processes:
        return ok(PROCESSES, "their processes can be seen")
    return warn(
        PROCESSES,
        "hidepid, an option of /proc, hides their processes, and who of them listens on a port",
        "show them",
        as_root("mount -o remount,hidepid=0 /proc"),
    )


def clock(now: float | None = None, since: float | None = None) -> Finding:
    """Whether it is later than when portsup was installed. Only what people are shown depends on it."""
    now = time.time() if now is None else now
    since = Path(__file__).stat().st_ctime if since is None else since
    if now >= since:
        return ok(CLOCK, time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(now)).strip())
    shown = time.strftime("%Y-%m-%d", time.localtime(now))
    return warn(
        CLOCK,
        f"it says {shown}, and portsup was installed later than that: times in logs are wrong",
        "set it",
        as_root("timedatectl set-ntp true"),
    )
