"""What goes wrong, in words for the person at the terminal.

Every error that a user can meet is a PortsupError: what could not be done and why, one line of
detail for each thing in the way, and what to do next. It is raised where the fact is known, with
the cause chained, and rendered once, in `cli/main.py`.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from enum import IntEnum
from typing import Any

NO_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE})
"""This process, or the whole machine, has no file descriptors left."""

MORE_DESCRIPTORS = "raise the limit of open files, for example: ulimit -n 1024"


class ExitCode(IntEnum):
    """The contract of DESIGN §8; 69, 75 and 78 are those of sysexits.h."""

    OK = 0
    SERVICE_FAILED = 1
    USAGE = 2
    NO_PORT = 69
    INTERNAL = 70
    INSTANCE_TAKEN = 75
    CONFIG = 78
    INTERRUPTED = 130
    TERMINATED = 143


class PortsupError(Exception):
    """Something that portsup could not do.

    `message` says what and why in one line, `details` holds a line for each thing in the way,
    `hint` says what to do next, and `exit_code` is the process's.
    """

    exit_code: int = ExitCode.SERVICE_FAILED

    def __init__(
        self,
        message: str,
        *,
        details: Sequence[str] = (),
        hint: str | None = None,
        exit_code: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = tuple(details)
        self.hint = hint
        if exit_code is not None:
            self.exit_code = exit_code

    def to_json(self) -> dict[str, Any]:
        """As it travels from a detached supervisor, or over the control socket, to the command."""
        return {
            "message": self.message,
            "details": list(self.details),
            "hint": self.hint,
            "exit_code": int(self.exit_code),
        }

    @staticmethod
    def from_json(data: Any) -> PortsupError:
        """Raises ValueError for what `to_json` doesn't give: it is shown, and ends the command's process."""
        match data:
            case {
                "message": str(message),
                "details": list(details),
                "hint": str() | None as hint,
                "exit_code": int(exit_code),
            } if 0 < exit_code < 256 and all(isinstance(line, str) for line in details):
                return PortsupError(message, details=details, hint=hint, exit_code=exit_code)
        raise ValueError("is no error of portsup's")


class UsageError(PortsupError):
    """The command line asks for something that makes no sense."""

    exit_code = ExitCode.USAGE


class ConfigError(PortsupError):
    """services.toml, or a file that it names, is wrong."""

    exit_code = ExitCode.CONFIG


class NoFreePort(PortsupError):
    """Every port of a pool is taken; `details` names who has each."""

    exit_code = ExitCode.NO_PORT


class InstanceTaken(PortsupError):
    """The instance number, or this worktree's turn, is taken."""

    exit_code = ExitCode.INSTANCE_TAKEN


class LockFolderError(PortsupError):
    """The lock folder can't be trusted or written to."""


class SpawnError(PortsupError):
    """A service's command could not be started."""


class OutOfResources(SpawnError):
    """The same, for want of descriptors, processes or memory: that may pass by itself."""


class NotRunning(PortsupError):
    """There is no such running instance, or its supervisor does not answer."""
