"""What TAB offers for a service or an instance. Loaded only when a shell asks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from supervisor import paths
from supervisor.cli import stack_file
from supervisor.config.names import wrong_name
from supervisor.control import registry
from supervisor.errors import PortsupError
from supervisor.records import InstanceRecord

TIMEOUT = 0.1
"""Seconds that a supervisor has to answer in: somebody waits with a finger on TAB."""


def written_services(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Those of services.toml. Raises what reading it raises."""
    return _fitting(ctx, param, incomplete, _written(_config(ctx)))


def running_services(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Those that a running instance has; where none answers, those of services.toml."""
    config = _config(ctx)
    return _fitting(ctx, param, incomplete, _running(config, ctx.params.get("instance")) or _written(config))


def instance_numbers(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Those of this worktree's running instances."""
    try:
        records = _records(_config(ctx))
    except PortsupError:
        return []
    items = [CompletionItem(str(record.instance), help=f"base port {record.base_port}") for record in records]
    return [item for item in items if item.value.startswith(incomplete)]


def _config(ctx: click.Context) -> Path:
    return stack_file.find_config(ctx.params.get("file"))


def _records(config: Path) -> list[InstanceRecord]:
    return registry.instances(paths.lock_folder(), config=config)


def _running(config: Path, instance: int | None) -> list[str]:
    asked = [record for record in _records(config) if instance in (None, record.instance)]
    seen = registry.snapshots_of(asked, timeout=TIMEOUT)
    return [service.name for one in seen for service in one.services]


def _written(config: Path) -> list[str]:
    """Also of a file with mistakes, as long as it is TOML: this is no check of it."""
    import tomllib

    services = tomllib.loads(config.read_text(encoding="utf-8-sig")).get("services")
    return list(services) if isinstance(services, dict) else []


def _fitting(ctx: click.Context, param: click.Parameter, incomplete: str, names: Iterable[str]) -> list[str]:
    """Each once, and not those that the line has already. What can't be a service's name isn't put into
    anybody's command line: the file, or the record of an instance, may be a stranger's."""
    given: Sequence[str] = ctx.params.get(param.name or "") or ()
    fitting = [name for name in dict.fromkeys(names) if name.startswith(incomplete) and name not in given]
    return [name for name in fitting if not wrong_name(name)]
