"""`portsup down --data`: the data folders of a worktree's instances, and how one is removed.

Nothing is removed but what lies below the state folder's own `<stack>-<worktree>/<number>/data`, no link is
followed on the way there or below it, and the instance's number is held meanwhile.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import click

from supervisor import paths
from supervisor.cli import target
from supervisor.cli.output import is_terminal, note, printable
from supervisor.cli.removal import OPEN_FOLDER
from supervisor.cli.removal import remove as remove_tree
from supervisor.errors import NotRunning, PortsupError, UsageError
from supervisor.records import InstanceRecord

SHOWN = 10
"""Paths that an error lists."""


class Data(NamedTuple):
    record: InstanceRecord
    """Of the instance that is up, or what that of another with its number would be."""
    folder: Path


# Whose


def of_instance(record: InstanceRecord) -> Data:
    """Raises PortsupError if the instance keeps it elsewhere than this command would."""
    folder = paths.instance_folder(Path(record.config), record.stack, record.instance)
    if folder != Path(record.logs).parent or folder.parent.parent != paths.state_folder():
        raise PortsupError(
            f"{target.title(record)} has its data in {Path(record.logs).parent}, not in {folder}",
            hint="call `portsup down --data` with the XDG_STATE_HOME that it was started with",
        )
    return _checked(Data(record, paths.data_folder(folder)))


def of_earlier_runs(config: Path, instance: int | None) -> list[Data]:
    """Data of instances that needn't be up any more, by number. Raises ConfigError."""
    from supervisor.cli.number import new_record
    from supervisor.config.load import load
    from supervisor.plan.plan import make_plan

    loaded = load(config)
    worktree = paths.worktree_folder(config, loaded.stack)
    numbers = sorted(int(folder.name) for folder in worktree.glob("*") if folder.name.isdecimal())
    found = [
        Data(new_record(make_plan(loaded, number)), paths.data_folder(worktree / str(number)))
        for number in numbers
        if instance in (None, number)
    ]
    return [_checked(data) for data in found if os.path.lexists(data.folder)]


def of_the_only_one(config: Path, instance: int | None, missing: NotRunning) -> Data:
    """Of an earlier run. Raises `missing` if there is none, UsageError if there are several."""
    found = of_earlier_runs(config, instance)
    if not found:
        raise missing
    if len(found) > 1:
        raise UsageError(
            f"{len(found)} instances of {config.parent} left data; whose?",
            details=[f"instance {data.record.instance}: {data.folder}" for data in found],
            hint=f"name one, for example with `-i {found[0].record.instance}`, or all with --all",
        )
    return found[0]


def _checked(data: Data) -> Data:
    for folder in (data.folder.parent.parent, data.folder.parent, data.folder):
        if folder.is_symlink():
            raise PortsupError(
                f"cannot remove {data.folder}: {folder} is a link",
                hint=f"what it leads to isn't portsup's: remove that yourself, and then {folder}",
            )
    return data


# Asking


def confirm(found: Sequence[Data], *, yes: bool) -> None:
    """Raises UsageError if nobody can be asked, PortsupError if the answer is no."""
    if yes or not found:
        return
    if not is_terminal(sys.stdin):
        raise UsageError(
            "--data removes files for good, and there is no terminal to ask at",
            details=[_described(data.folder) for data in found],
            hint="--yes removes them without a question; nothing was stopped",
        )
    for data in found[:-1]:
        note(f"to be removed: {_described(data.folder)}")
    those = " and those above" if len(found) > 1 else ""
    if not click.confirm(f"remove {printable(_described(found[-1].folder))}{those}?", err=True):
        raise PortsupError("nothing was stopped or removed")


def _described(folder: Path) -> str:
    sizes = list(_sizes(folder))
    files = "1 file" if len(sizes) == 1 else f"{len(sizes)} files"
    return f"{folder} ({files}, {size_in_words(sum(sizes))})"


def _sizes(folder: Path) -> Iterator[int]:
    """Of each file. Services may still be at work there: any may be gone before it is looked at. Not os.walk:
    in Python 3.11 that is a call for each folder that lies in another."""
    waiting = [str(folder)]
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                    continue
                with suppress(FileNotFoundError):
                    yield entry.stat(follow_symlinks=False).st_size


def size_in_words(size: int) -> str:
    """ "12 MB": thousands, as disks are sold."""
    value = float(size)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.0f} TB"


# Removing


def remove(data: Data) -> None:
    """Raises InstanceTaken if the instance is up again, PortsupError with what is left."""
    from supervisor.cli.number import in_our_name
    from supervisor.ports.lock import LockFolder
    from supervisor.ports.reserve import claim_instance

    folder = LockFolder.open(paths.lock_folder())
    try:
        claim = claim_instance(folder, in_our_name(data.record))
        try:
            left = list(_remove_folder(data.folder))
        finally:
            claim.lock.give_back()
    finally:
        folder.close()
    if left:
        raise _incomplete(data.folder, left)
    note(f"{data.folder} is removed")


def _remove_folder(folder: Path) -> Iterator[str]:
    """What is left, and why. The path is walked by descriptors from the state folder on."""
    opened = [os.open(paths.state_folder(), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)]
    try:
        for name in folder.relative_to(paths.state_folder()).parts[:-1]:
            opened.append(os.open(name, OPEN_FOLDER, dir_fd=opened[-1]))
        yield from remove_tree(folder.name, opened[-1], str(folder.parent))
    except FileNotFoundError:
        pass  # nothing was ever there
    except OSError as error:
        yield f"{folder}: {error.strerror}"
    finally:
        for fd in opened:
            os.close(fd)


def _incomplete(folder: Path, left: Sequence[str]) -> PortsupError:
    more = [f"and {len(left) - SHOWN} more"] if len(left) > SHOWN else []
    return PortsupError(
        f"could not remove all of {folder}",
        details=[*left[:SHOWN], *more],
        hint="the instance is down; remove the rest as its owner, or as root",
    )
