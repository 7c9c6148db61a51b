"""Which instance a call means. Nobody has to guess: where several may be meant, they are listed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from supervisor.control import client, registry
from supervisor.errors import NotRunning, PortsupError, UsageError
from supervisor.monitor import instances
from supervisor.records import InstanceRecord

FILE_NAME = "services.toml"

LISTED = "list_instances shows what runs on this machine"


class Wish(NamedTuple):
    """How a call names an instance; all None for the only one of the worktree at hand."""

    instance_id: str | None = None
    folder: str | None = None
    instance: int | None = None


class Choice:
    def __init__(self, lock_folder: Path, here: Callable[[], Path]) -> None:
        """`here` gives the services.toml of whoever names none; it raises PortsupError if there is none."""
        self._lock_folder = lock_folder
        self._here = here

    def all(self) -> list[InstanceRecord]:
        """What this user may ask."""
        return instances.visible(self._lock_folder)

    def one(self, wish: Wish) -> InstanceRecord:
        """Raises NotRunning if there is none, UsageError if several may be meant."""
        found = [record for record in self._of(wish) if wish.instance in (None, record.instance)]
        if len(found) == 1:
            return found[0]
        where = wish.folder or "this worktree"
        if found:
            raise UsageError(
                f"{len(found)} instances of {where} are up; which one?",
                details=described(found),
                hint="name one by its instance_id",
            )
        number = "no instance" if wish.instance is None else f"no instance {wish.instance}"
        named = f"no instance {wish.instance_id} is up"
        raise NotRunning(
            named if wish.instance_id else f"{number} of {where} is up",
            details=described(self.all()),
            hint="`portsup up` in its folder starts one; another one is named by its instance_id",
        )

    def config(self, folder: str | None) -> Path:
        """The services.toml that is meant. Raises PortsupError if there is none."""
        return self._here() if folder is None else _config_in(folder)

    def folder(self) -> str | None:
        """The worktree of whoever names none, if there is one."""
        try:
            return str(self._here().parent)
        except PortsupError:
            return None

    def up(self, config: Path, number: int) -> InstanceRecord:
        """The instance of `config` with that number. Raises NotRunning."""
        return self.one(Wish(folder=str(config), instance=number))

    def _of(self, wish: Wish) -> list[InstanceRecord]:
        if wish.instance_id is not None:
            return [record for record in self.all() if record.instance_id == wish.instance_id]
        try:
            config = self.config(wish.folder)
        except PortsupError as nowhere:
            nowhere.details = tuple(described(self.all()))
            nowhere.hint = f"name an instance by its instance_id, or a folder; {LISTED}"
            raise
        of_config = registry.instances(self._lock_folder, config=config)
        return [record for record in of_config if client.may_ask(record)]


def described(records: Sequence[InstanceRecord]) -> list[str]:
    return [
        f"{record.stack} instance {record.instance} of {record.worktree}: instance_id {record.instance_id}"
        for record in records
    ]


def _config_in(folder: str) -> Path:
    """The file is not looked into, and links to folders are followed, as the command line does it."""
    try:
        path = Path(folder).expanduser()
        path = path / FILE_NAME if path.is_dir() else path
        return path.parent.resolve() / path.name
    except (OSError, ValueError, RuntimeError) as wrong:
        raise UsageError(f"cannot use {folder!r} as a folder: {wrong}") from wrong
