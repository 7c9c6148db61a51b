"""`portsup down`: ask an instance to stop, and come back when its lock files are gone."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path

import click

from supervisor import paths, records
from supervisor.cli import stack_file, target
from supervisor.cli.options import (
    examples,
    file_option,
    gives_way,
    instance_option,
    named_on_command_line,
    timeout_option,
)
from supervisor.cli.output import note
from supervisor.control import client
from supervisor.errors import NotRunning, PortsupError, UsageError
from supervisor.records import InstanceRecord

FIRST_PAUSE = 0.005
LONGEST_PAUSE = 0.02
"""Seconds between two looks at what is left."""

GUARD_GRACE = 2.0
"""Seconds that a dead supervisor's guard gets to clear up before we call that prune's job."""


@click.command(
    epilog=examples(
        "portsup down",
        "portsup down --instance 2",
        "portsup down --all",
        "portsup down --data      and forget what its services keep in ${data_dir}",
    )
)
@instance_option()
@click.option(
    "--all",
    "all_",
    is_flag=True,
    envvar="PORTSUP_ALL",
    show_envvar=True,
    help="All instances of this services.toml.",
)
# Neither of these two can come from the environment: what removes files for good is said each time, and
# never inherited from a shell, a CI job or an .envrc that somebody has forgotten.
@click.option("--data", is_flag=True, help="Remove its data folder too, if need be of an earlier run.")
@click.option("--yes", is_flag=True, help="Remove it without a question.")
@timeout_option(60.0)
@file_option
@click.pass_context
def down(
    ctx: click.Context,
    instance: int | None,
    all_: bool,
    data: bool,
    yes: bool,
    timeout: float,
    file: Path | None,
) -> None:
    """Stop an instance, and return when all of its lock files are gone.

    What its services keep in ${data_dir} stays for the next start, unless --data is given.
    """
    if yes and not data:
        raise UsageError("--yes is for --data")
    if all_ and instance is not None:
        clash = "--all stops every instance, --instance one: use one of them"
        all_ = gives_way(ctx, "all_", "instance", clash) != "all_"
    config = stack_file.find_config(file)
    if data:
        all_ = all_ and named_on_command_line(ctx, "all_")  # for the same reason
        _down_with_data(config, instance, all_, yes=yes, timeout=timeout)
        return
    chosen = target.of_worktree(config) if all_ else [target.running(config, instance, offer_up=False)]
    if not chosen:
        note(f"no instance of {config.parent} is up")
    stop_all(chosen, timeout)


def _down_with_data(config: Path, instance: int | None, all_: bool, *, yes: bool, timeout: float) -> None:
    from supervisor.cli import data

    up = [record for record in target.of_worktree(config) if not client.is_dead(record)]
    if all_:
        numbers = {record.instance for record in up}
        earlier = [one for one in data.of_earlier_runs(config, None) if one.record.instance not in numbers]
        found = [*map(data.of_instance, up), *earlier]
        if not found:
            note(f"no instance of {config.parent} is up or has left data")
    else:
        try:
            up = [target.running(config, instance, offer_up=False)]
            found = [data.of_instance(up[0])]
        except NotRunning as missing:
            up, found = [], [data.of_the_only_one(config, instance, missing)]
    data.confirm(found, yes=yes)
    stop_all(up, timeout)
    for one in found:
        data.remove(one)


def stop_all(instances: Sequence[InstanceRecord], timeout: float) -> None:
    """Stop `instances` at the same time. Raises the first failure when all are through."""
    began = time.monotonic()
    failures = []
    for record in instances:
        _ask(record)
    for record in instances:
        try:
            wait_until_gone(record, began + timeout)
        except PortsupError as failure:
            failures.append(failure)
        else:
            note(f"{target.title(record)} is down ({time.monotonic() - began:.1f}s)")
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise _combined(failures)


def _combined(failures: Sequence[PortsupError]) -> PortsupError:
    details = [line for failure in failures for line in (failure.message, *failure.details)]
    return PortsupError(
        f"{len(failures)} instances could not be stopped", details=details, hint=failures[0].hint
    )


def _ask(record: InstanceRecord) -> None:
    """Raises PortsupError if it may not be asked. One that doesn't answer may be on its way down."""
    try:
        with client.reach(record) as instance:
            instance.call("down")
    except NotRunning:
        if not client.may_ask(record):
            raise


def wait_until_gone(record: InstanceRecord, deadline: float) -> None:
    """Return when the instance has no lock file and no control socket any more.

    `deadline` is on the monotonic clock. Raises PortsupError with what is left then, or NotRunning as
    soon as it is plain that nobody is there, or awake, to clear up.
    """
    pause = FIRST_PAUSE
    died = None
    while left := remains(record):
        now = time.monotonic()
        if client.is_dead(record):
            died = now if died is None else died
            if now - died > GUARD_GRACE:
                raise target.dead_supervisor(record)
        if client.is_suspended(record):
            raise client.suspended(record)
        if now >= deadline:
            raise _still_there(record, left)
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)


def remains(record: InstanceRecord) -> list[str]:
    """What there still is of the instance: paths of its lock files, or of its socket."""
    folder = paths.lock_folder()
    own = records.instance_file(folder, record.base_port)
    if _belongs(own, record):  # the last one to go: until then there is no need to look further
        return [str(own)]
    ports = [
        str(records.port_file(folder, held.port))
        for held in records.port_records(folder)
        if held.is_of(record)
    ]
    return ports or ([record.socket] if _listens(record.socket) else [])


def _belongs(file: Path, record: InstanceRecord) -> bool:
    found = records.read(file)
    if found is None:  # who is dead gives nothing back any more: then somebody else has it, as flock(1)
        return _is_going(file) and not client.is_dead(record)
    return found.is_of(record)


def _is_going(file: Path) -> bool:
    """Emptied and held: it is being given back, and is unlinked in a moment."""
    from supervisor.ports.lock import OPEN_FLAGS, is_locked  # for that moment alone

    try:
        fd = os.open(file, os.O_RDONLY | OPEN_FLAGS)
    except OSError:
        return False
    try:
        return is_locked(fd)
    finally:
        os.close(fd)


def _listens(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


def _still_there(record: InstanceRecord, left: Sequence[str]) -> PortsupError:
    return PortsupError(
        f"{target.title(record)} is not down yet",
        details=[f"left: {path}" for path in left],
        hint=f"see what it waits for with `portsup status -i {record.instance}`, or look into {record.logs}",
    )
