"""How many services fit into this process's limits."""

from __future__ import annotations

import resource

from supervisor.cli.checkup.finding import Finding, as_root, fail, ok, warn
from supervisor.config.model import Config
from supervisor.platform.contract import Allowance, KernelFacts
from supervisor.ports.lock import INHERITED_FD_MIN

FILES = "open files"
CHILDREN = "processes"

OWN_FILES = 16
"""Descriptors that a supervisor has for itself, and while it looks at somebody."""

FILES_EACH = 3
"""A service's process, output and log. Each of its ports is one more, and so is its socket."""

USUAL_FILES_EACH = FILES_EACH + 1
FEW = 20
"""Services; a limit for fewer than this will be met."""

OWN_PROCESSES = 2
"""Guard and supervisor."""

ROOM = 4
"""Most services are more than one process."""


def files_needed(config: Config) -> int:
    """Descriptors that one instance takes. Locks lie above INHERITED_FD_MIN, whatever is free below."""
    services = config.services
    return max(INHERITED_FD_MIN, OWN_FILES) + sum(
        FILES_EACH + len(service.pools) + service.socket for service in services
    )


def open_files(config: Config | None, limit: int | None = None) -> Finding:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0] if limit is None else limit
    if limit == resource.RLIM_INFINITY:
        return ok(FILES, "no limit")
    room = max(0, (limit - max(INHERITED_FD_MIN, OWN_FILES)) // USUAL_FILES_EACH)
    needed = files_needed(config) if config else 0
    if needed > limit:
        return fail(
            FILES,
            f"an instance takes {needed}, the limit (RLIMIT_NOFILE) is {limit}",
            "raise it",
            f"ulimit -n {_round_up(needed)}",
        )
    told = f"the limit (RLIMIT_NOFILE) is {limit}: enough for about {room} services an instance"
    if config is None and room < FEW:
        return warn(FILES, told, "raise it", "ulimit -n 1024")
    return ok(FILES, told)


def _round_up(needed: int) -> int:
    return max(1024, 1 << (needed - 1).bit_length())


def processes(facts: KernelFacts, config: Config | None) -> Finding:
    needed = OWN_PROCESSES + (len(config.services) if config else 1)
    if not facts.allowances:
        return ok(CHILDREN, "no limit")
    tightest = min(facts.allowances, key=lambda allowance: allowance.limit - allowance.used)
    left = tightest.limit - tightest.used
    told = f"{tightest.of} may have {tightest.limit}, and has {tightest.used}"
    if left < needed:
        return fail(CHILDREN, f"{told}: an instance takes {needed} and more", *_to_raise(tightest))
    if left < needed * ROOM:
        return warn(CHILDREN, f"{told}: that may not do for one instance", *_to_raise(tightest))
    return ok(CHILDREN, told)


def _to_raise(allowance: Allowance) -> tuple[str, str | None]:
    folder = allowance.of.removeprefix("the cgroup ")
    if folder == allowance.of:
        return "end what isn't needed, or raise the limit", "ulimit -u 4096"
    return "end what isn't needed, or raise the limit", f"echo 4096 | {as_root(f'tee {folder}/pids.max')}"
