"""Which services.toml, and which of its running instances, a command means.

A running instance is found by its record in the lock folder. services.toml is looked for, never read:
`status` and `down` work as well after it was broken or deleted.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from supervisor import paths
from supervisor.control import client, registry
from supervisor.errors import ConfigError, NotRunning, UsageError
from supervisor.records import Holder, InstanceRecord

FILE_NAME = "services.toml"

EXAMPLE = """\
[services.web]
command = "python3 -m http.server ${port}"
pool = { offset = 10, size = 3 }
"""

ELSEWHERE = "`portsup ps` lists what runs on this machine"


def find_config(file: Path | None) -> Path:
    """The absolute path of `file`, else of the nearest services.toml, here or in a folder above.

    A folder counts too if an instance still runs from a services.toml that was deleted there: else a
    worktree inside another one would be taken for the outer one. Raises ConfigError if there is neither.
    """
    if file is not None:
        return _given(file)
    here = _current_folder()
    if os.path.lexists(here / FILE_NAME):  # a dangling link is the loader's to complain about
        return here / FILE_NAME
    deleted = _deleted_configs()  # only now: it reads the record of every instance on the machine
    for folder in (here, *here.parents):
        if os.path.lexists(folder / FILE_NAME):
            return folder / FILE_NAME
        if folder in deleted:
            return deleted[folder]
    raise ConfigError(
        f"no {FILE_NAME} in {here} or in a folder above it",
        details=["the shortest that is of use:", *(f"  {line}" for line in EXAMPLE.splitlines())],
        hint=f"write a {FILE_NAME}, or name one with --file PATH; {ELSEWHERE}",
    )


def _current_folder() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise ConfigError(
            "the current folder does not exist any more",
            hint="go to another one; `portsup ps` lists what runs on this machine",
        ) from error


def _given(file: Path) -> Path:
    """Links to folders are followed and a link to a file is not: each worktree has its own stack."""
    path = file / FILE_NAME if os.path.isdir(file) else file  # noqa: PTH112 - Path.is_dir may raise
    path = Path(os.path.realpath(path.parent)) / path.name
    if not os.path.lexists(path) and path not in _deleted_configs().values():
        raise ConfigError(f"there is no {path}", hint=ELSEWHERE)
    return path


def _deleted_configs() -> dict[Path, Path]:
    """Folder → services.toml, for instances that run from a file that is no longer there.

    Not by Path.exists, which raises for what lies in another user's private folder.
    """
    known = registry.instances(paths.lock_folder(), include_dead=True)
    configs = {Path(record.config) for record in known if registry.may_speak(record)}
    return {config.parent: config for config in configs if not os.path.exists(config)}  # noqa: PTH110


def of_worktree(config: Path) -> list[InstanceRecord]:
    """The records of all instances of this services.toml, dead supervisors' too, by number."""
    return registry.instances(paths.lock_folder(), config=config, include_dead=True)


def running(config: Path, instance: int | None, *, offer_up: bool = True) -> InstanceRecord:
    """The running instance with that number, or the only one that this services.toml has.

    Raises NotRunning if there is none (`offer_up`: with a hint how to start it), or UsageError if none
    was named and several run.
    """
    known = [record for record in of_worktree(config) if instance in (None, record.instance)]
    live = [record for record in known if not client.is_dead(record)]
    if len(live) == 1:
        return live[0]
    if live:
        raise _ambiguous(config, live)
    missing = _not_running(config, instance, known)
    if not known and not offer_up:
        missing.hint = ELSEWHERE
    raise missing


def _ambiguous(config: Path, live: Sequence[InstanceRecord]) -> UsageError:
    return UsageError(
        f"{len(live)} instances of {config.parent} are up; which one?",
        details=[describe(record) for record in live],
        hint=f"name one, for example with `-i {live[0].instance}`",
    )


def _not_running(config: Path, instance: int | None, dead: Sequence[InstanceRecord]) -> NotRunning:
    if dead:
        return dead_supervisor(dead[0])
    if instance is not None:
        return not_up(config, instance)
    return NotRunning(f"no instance of {config.parent} is up", hint="start one with `portsup up`")


def not_up(config: Path, instance: int) -> NotRunning:
    """What to say of an instance that has no record, with those that have one."""
    return NotRunning(
        f"instance {instance} of {config.parent} is not up",
        details=[describe(record) for record in of_worktree(config)],
        hint=f"start it with `portsup up -i {instance}`",
    )


def dead_supervisor(record: InstanceRecord) -> NotRunning:
    """What to say of an instance whose record is there and whose supervisor is not."""
    return NotRunning(
        f"{title(record)} is not up: its supervisor (pid {record.supervisor.pid}) is dead",
        hint="`portsup prune` clears what it left behind",
    )


def title(record: Holder) -> str:
    return f"{record.stack} instance {record.instance}"


def describe(record: InstanceRecord) -> str:
    """One line for a list of instances: number, state, pid, since when."""
    state = client.snapshot(record).state
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.acquired_at))
    return f"instance {record.instance}: {state}, pid {record.supervisor.pid}, since {since}"
