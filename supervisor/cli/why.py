"""`portsup why`: who has a port, and whose pool it is in."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import click

from supervisor import paths
from supervisor.cli import stack_file
from supervisor.cli.options import examples, file_option, json_option
from supervisor.cli.output import emit_json, emit_lines
from supervisor.config.model import Config, Pool, RelativePool
from supervisor.control import registry
from supervisor.errors import ConfigError
from supervisor.plan.instance import highest_instance
from supervisor.ports.owner import inspect
from supervisor.ports.report import Holding, PortReport

SCHEMA = 1

USUAL_INSTANCES = 20
"""Every port above the base is in the pools of some instance: of one that runs, or whose number is no
higher than this, it is worth saying."""


@click.command(epilog=examples("portsup why 6000", "portsup why 9000 --json"))
@click.argument("port", type=click.IntRange(1, 65535))
@file_option
@json_option
def why(port: int, file: Path | None, as_json: bool) -> None:
    """Say who holds a port, and what to do next.

    Asks the lock file, the record in it and the kernel. If there is a services.toml here, it says
    too which of its pools the port is in.

    In JSON "holding" is "free", "held" (its supervisor lives), "claiming" (being taken at this moment),
    "leftover" (the supervisor is dead, and some of what it started live), "stale" (a lock that nobody
    stands behind), "foreign" (not locked, and somebody listens) or "unusable" (its lock file is no file).
    Beside it stand "port", the lock's "record", "file", "file_uid" and whether it is "locked", the
    "survivors" of a dead supervisor, who listens ("listeners"; "of_holder" says whether for who has the
    lock), "pools", and in words "line" and "hint".
    """
    report = inspect(paths.lock_folder(), port)
    config = _config(file)
    pools = [] if config is None else pools_with(config, port, _running(config))
    if as_json:
        emit_json({"schema": SCHEMA, **report.to_json(), "pools": pools})
        return
    emit_lines([report.line(), *report.further_lines(), *map(_pool_line, pools), *_hint(report)])


def _hint(report: PortReport) -> list[str]:
    """For a port that is held nothing may be wrong, so that the way to free it isn't advice."""
    if report.holding is Holding.FREE:
        return []
    fine = report.holding is Holding.HELD and not report.strangers
    return [f"{'to free it' if fine else 'hint'}: {report.hint()}"]


def _running(config: Config) -> set[int]:
    """The numbers of the stack's instances, in whichever worktree."""
    known = registry.instances(paths.lock_folder())
    return {record.instance for record in known if record.stack == config.stack}


def _config(file: Path | None) -> Config | None:
    """This worktree's, if there is one that can be read: here it only adds to the answer."""
    from supervisor.config import load

    try:
        return load.load(stack_file.find_config(file))
    except ConfigError:
        if file is not None:
            raise
        return None


def pools_with(config: Config, port: int, running: Collection[int] = ()) -> list[dict[str, Any]]:
    """The pools of `config` that `port` is in, of usual and `running` instances; "instance" is None for a
    shared pool, which is everyone's."""
    return [
        {"stack": config.stack, "service": service.name, "pool": pool.name, "instance": instance}
        for service in config.services
        for pool in service.pools
        for instance in _instances_with(config, pool, port)
        if instance is None or instance <= USUAL_INSTANCES or instance in running
    ]


def _instances_with(config: Config, pool: Pool, port: int) -> list[int | None]:
    """Which instance has `port` in this pool: at most one, since pools stay within their stride."""
    if not isinstance(pool, RelativePool):
        return [None] if port in pool.ports else []
    before, place = divmod(port - config.base_port - pool.offset, config.stride)
    last = highest_instance(config.base_port, config.stride)
    return [before + 1] if 0 <= before < last and place < pool.size else []


def _pool_line(pool: dict[str, Any]) -> str:
    whose = "every instance" if pool["instance"] is None else f"instance {pool['instance']}"
    return f"in the pool {pool['pool']!r} of {pool['service']} of {whose} of {pool['stack']}"
