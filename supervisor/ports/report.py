"""Who has a port, in words and as JSON. `owner.py` finds it out."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from supervisor import records
from supervisor.platform import os_facts
from supervisor.platform.contract import Owner
from supervisor.ports import commandline, wording
from supervisor.records import Holder, PortRecord

CONFIG_NAME = "services.toml"
"""What the loader calls it; a file with this name need not be named."""

PIDS_SHOWN = 3


class Holding(StrEnum):
    FREE = "free"
    HELD = "held"
    """Locked; the supervisor lives, or is in another pid namespace."""
    CLAIMING = "claiming"
    """Locked, and no record yet, or still that of a dead supervisor."""
    LEFTOVER = "leftover"
    """The supervisor is dead, processes of its unit live."""
    STALE = "stale"
    """A record, or another user's file, that nobody stands behind."""
    FOREIGN = "foreign"
    """Nobody holds the lock; somebody listens who was not started by portsup, or can't be told."""
    UNUSABLE = "unusable"
    """What lies at the lock file's path is no file."""


class PortUser(NamedTuple):
    """Somebody who listens. `owner` is None where the process can't be seen."""

    address: str
    owner: Owner | None
    uid: int
    command: str
    of_holder: bool | None = None
    """Whether it belongs to the instance that has the lock; None if none has, or it can't be told."""
    unit: str | None = None
    """Instance id and service, where its marker tells that portsup started it."""

    def to_json(self) -> dict[str, Any]:
        return {**self._asdict(), "owner": self.owner._asdict() if self.owner else None}

    def __str__(self) -> str:
        """ "pid 77 (node server.js) on 127.0.0.1", or "somebody of uid 0 on ::"."""
        who = f"pid {self.owner.pid} ({self.command})" if self.owner else f"somebody of uid {self.uid}"
        started = f", started as {wording.printable(self.unit)}" if self.unit and not self.of_holder else ""
        return f"{who} on {self.address}{started}"


class PortReport(NamedTuple):
    port: int
    holding: Holding
    record: PortRecord | None
    """What the lock file says; None if it says nothing, or speaks for another user than its own."""
    listeners: tuple[PortUser, ...]
    survivors: tuple[Owner, ...]
    file: Path
    """Where the lock file is, or would be."""
    file_uid: int | None = None
    """Whose it is; None if there is none."""
    locked: bool = False
    """Whether somebody holds the operating system's lock on it, as far as can be seen."""

    @property
    def strangers(self) -> list[PortUser]:
        """Who listens beside the holder's own."""
        return [user for user in self.listeners if user.of_holder is False]

    def line(self) -> str:
        """One line for an error: "9000  qwen instance 1 (api-server) in /path, pid 411, for 3 min"."""
        return f"{self.port}  {self._state()}"

    def _state(self) -> str:
        match self.holding:
            case Holding.FREE:
                return "free"
            case Holding.HELD:
                return holder(self.record) if self.record else f"locked by uid {self.file_uid}, unreadable"
            case Holding.CLAIMING:
                return "being claimed by another portsup at this moment"
            case Holding.LEFTOVER:
                return f"left over from {self._dead_holder()}: {self._who_survives()}"
            case Holding.STALE:
                return f"{self._stale_lock()}: nobody lives there"
            case Holding.FOREIGN:
                ours = any(user.unit for user in self.listeners)
                what = "not locked, but listened on" if ours else "not portsup's"
                return f"{what}: {', '.join(map(str, self.listeners))}"
            case Holding.UNUSABLE:
                return "what lies at its lock file's path is no file"

    def _stale_lock(self) -> str:
        return f"stale lock of {self._dead_holder()} (uid {self.file_uid})"

    def _dead_holder(self) -> str:
        return unit(self.record) if self.record else "an unknown instance"

    def _who_survives(self) -> str:
        if not self.survivors:
            return "its supervisor is dead, but somebody who can't be seen still holds the lock"
        shown = [str(owner.pid) for owner in self.survivors[:PIDS_SHOWN]]
        more = len(self.survivors) - len(shown)
        pids = ", ".join(shown) + (f" and {more} more" if more else "")
        lives = "lives" if len(self.survivors) == 1 else "live"
        return f"its supervisor is dead, pid {pids} of its instance {lives}"

    def further_lines(self) -> list[str]:
        """What else there is to know: who else lives and listens, and what lies beside a listener."""
        if self.holding is Holding.FOREIGN:
            return self._beside_a_foreigner()
        listening = {user.owner for user in self.listeners}
        silent = (owner for owner in self.survivors if owner not in listening)
        return [*map(_survivor_line, silent), *map(_listener_line, self.listeners)]

    def _beside_a_foreigner(self) -> list[str]:
        if self.record is None:
            return []
        return [f"beside it: {self._stale_lock()}; if that started it, nothing proves so"]

    def hint(self) -> str:
        """What to do next."""
        match self.holding:
            case Holding.FREE:
                return "nothing to do"
            case Holding.HELD:
                return self._to_free_it()
            case Holding.CLAIMING:
                return "try again"
            case Holding.LEFTOVER | Holding.STALE if not self._may_prune():
                return f"{wording.or_root(self.file_uid)} must {wording.PRUNE}"
            case Holding.LEFTOVER | Holding.STALE:
                return wording.PRUNE
            case Holding.FOREIGN:
                return self._end_it(self.listeners)
            case Holding.UNUSABLE:
                whose = "" if self._may_prune() else f"{wording.or_root(self.file_uid)} must "
                return wording.printable(f"{whose}remove {self.file}")

    def _may_prune(self) -> bool:
        """Whoever holds a dead one's lock and can't be seen is another user's: that is root's to see."""
        unseen = self.holding is Holding.LEFTOVER and not self.survivors
        return os.geteuid() == 0 or (os.geteuid() == self.file_uid and not unseen)

    def _to_free_it(self) -> str:
        if self.record is None or os.geteuid() not in (0, self.record.uid):
            return f"ask uid {self.file_uid}"
        if self._is_elsewhere() and not self.locked:
            return f"if its pid namespace is gone for good, remove {wording.printable(str(self.file))}"
        if self.strangers:
            return f"if {_named(self.strangers)} should not be there, {self._end_it(self.strangers)}"
        there = ", in its own pid namespace" if self._is_elsewhere() else ""
        return wording.printable(f"run {_down(self.record)}{there}")

    def _is_elsewhere(self) -> bool:
        return self.record is not None and self.record.pidns != os_facts.pid_namespace()

    def _end_it(self, users: Sequence[PortUser]) -> str:
        pids = dict.fromkeys(str(user.owner.pid) for user in users if user.owner)
        command = f" (`kill {' '.join(pids)}`)" if pids else ""
        others = [user.uid for user in users if os.geteuid() not in (0, user.uid)]
        who = f"{wording.or_root(others[0])} must end it" if others else f"end it yourself{command}"
        return f"{who}, for portsup won't, or give the pool more ports"

    def to_json(self) -> dict[str, Any]:
        return {
            "port": self.port,
            "holding": self.holding.value,
            "record": records.to_json(self.record) if self.record else None,
            "listeners": [user.to_json() for user in self.listeners],
            "survivors": [
                {**owner._asdict(), "command": commandline.shown(owner.pid)} for owner in self.survivors
            ],
            "file": str(self.file),
            "file_uid": self.file_uid,
            "locked": self.locked,
            "line": self.line(),
            "hint": self.hint(),
        }


def _down(record: Holder) -> str:
    """How to stop that instance."""
    command = f"portsup down -i {record.instance}"
    if os.path.basename(record.config) == CONFIG_NAME:  # noqa: PTH119 - a record's text
        return f"`{command}` in {record.worktree}"
    return f"`{command} -f {shlex.quote(record.config)}`"


def _survivor_line(owner: Owner) -> str:
    return f"lives: pid {owner.pid} ({commandline.shown(owner.pid)})"


def _listener_line(user: PortUser) -> str:
    return f"listening: {user}{', which is not of that instance' if user.of_holder is False else ''}"


def _named(users: Sequence[PortUser]) -> str:
    names = (f"pid {user.owner.pid}" if user.owner else f"uid {user.uid}'s" for user in users)
    return ", ".join(dict.fromkeys(names))


def unit(record: Holder, service: str | None = None) -> str:
    """ "qwen-valencia instance 1 (api-server) in /path"; `service` if not the record's own."""
    if service is None and isinstance(record, PortRecord):
        service = record.service
    named = f" ({service})" if service else ""
    return wording.printable(f"{record.stack} instance {record.instance}{named} in {record.worktree}")


def holder(record: Holder) -> str:
    """The unit with its supervisor, whose it is if not ours, and for how long it has been holding."""
    whose = "" if record.uid == os.geteuid() else f" of uid {record.uid}"
    unseen = "" if record.pidns == os_facts.pid_namespace() else " of another pid namespace"
    age = wording.age(time.time() - record.acquired_at)
    return f"{unit(record)}, pid {record.supervisor.pid}{whose}{unseen}, for {age}"
