"""A command in this process's place on the terminal: its standard streams, process group and folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from supervisor.errors import PortsupError
from supervisor.platform import os_facts
from supervisor.process.child import Child

NOT_EXECUTABLE, NOT_FOUND = 126, 127
"""As shells and env(1) say it."""


def spawn_in_foreground(command: Sequence[str], environ: Mapping[str, str]) -> Child:
    """Raises PortsupError if it can't be run; nothing is left behind then."""
    import subprocess

    try:
        popen = subprocess.Popen(command, env=environ)
        try:
            return Child(popen, os_facts.open_exit_fd(popen.pid), output_fd=-1)
        except BaseException:
            popen.kill()
            popen.wait()
            raise
    except (OSError, ValueError) as error:
        raise cannot_run(command[0], error) from error


def cannot_run(program: str, error: OSError | ValueError) -> PortsupError:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return PortsupError(f"cannot run {program}: no such command", exit_code=NOT_FOUND)
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return PortsupError(f"cannot run {program}: {why}", exit_code=NOT_EXECUTABLE)
