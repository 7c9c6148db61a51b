"""ChildSpec → Child."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from supervisor.errors import MORE_DESCRIPTORS, OutOfResources, SpawnError
from supervisor.marker import UNIT
from supervisor.plan.plan import LISTEN_FDS_START
from supervisor.platform import os_facts
from supervisor.process.child import Child
from supervisor.process.handdown import receiver

if TYPE_CHECKING:
    import subprocess


OUTPUT_PIPE_BYTES = 1 << 18
"""A child that prints in bursts isn't blocked. pipe(7) gives an unprivileged user 64 MiB for all pipes."""

SHELL = "/bin/sh"

EXHAUSTED = {  # what may pass by itself
    errno.EMFILE: ("no file descriptors are left", MORE_DESCRIPTORS),
    errno.ENFILE: ("the machine has no file descriptors left", "see /proc/sys/fs/file-max"),
    errno.EAGAIN: ("no processes are left", "raise the limit: ulimit -u, or the container's pids limit"),
    errno.ENOMEM: ("no memory is left", None),
    errno.ENOSPC: ("no pseudo-terminals are left", "see /proc/sys/kernel/pty/max"),
}


def marker(instance_id: str, service: str) -> str:
    return f"{instance_id}/{service}"


class ChildSpec(NamedTuple):
    unit: str
    """The marker's value."""
    argv: tuple[str, ...]
    """With `shell`, one string for /bin/sh -c."""
    shell: bool
    cwd: Path
    env: Mapping[str, str]
    inherit: tuple[int, ...]
    """Descriptors of the locks that the child's tree holds, under the same numbers there."""
    program: str | None = None
    """As services.toml has argv's first word, for errors: filled in, it may hold a secret."""
    listening_fd: int | None = None
    """A socket that the child gets as descriptor 3, with its pid in LISTEN_PID."""
    terminal: os.terminal_size | None = None
    """It gets a terminal of this size, which controls its session, in place of a pipe for its output."""


def spawn(spec: ChildSpec) -> Child:
    """Raises SpawnError: not found, not executable, no such folder, no more descriptors.

    A program's path with a slash is relative to `spec.cwd`; a name without one is looked up in the
    PATH of `spec.env`. Nothing is left behind on an error.
    """
    if spec.terminal is not None:
        return _spawn_on_terminal(spec, spec.terminal)
    try:
        read_end, write_end = os.pipe()
    except OSError as error:
        raise _explain(spec, error) from error
    try:
        _prepare_output(read_end)
        return _adopt(_popen(spec, write_end), read_end)
    except (OSError, ValueError) as error:
        os.close(read_end)
        raise _explain(spec, error) from error
    finally:
        os.close(write_end)


def _spawn_on_terminal(spec: ChildSpec, size: os.terminal_size) -> Child:
    from supervisor.process.pty import open_pair

    try:
        ours, childs = open_pair(size)
    except OSError as error:
        raise _explain(spec, error) from error
    try:
        return _adopt(_popen(spec, childs), ours, childs)
    except (OSError, ValueError) as error:
        os.close(ours)
        os.close(childs)
        raise _explain(spec, error) from error


def _prepare_output(read_end: int) -> None:
    os.set_blocking(read_end, False)
    resize = getattr(fcntl, "F_SETPIPE_SZ", None)
    if resize is not None:
        try:
            fcntl.fcntl(read_end, resize, OUTPUT_PIPE_BYTES)
        except OSError:
            pass  # the user's pipes together are at their limit: the kernel's default does too


def _popen(spec: ChildSpec, output: int) -> subprocess.Popen[bytes]:
    import subprocess

    return subprocess.Popen(
        _command(spec),
        cwd=spec.cwd,
        stdin=subprocess.DEVNULL if spec.terminal is None else output,
        stdout=output,
        stderr=output,
        start_new_session=True,
        **_on_terminal(spec, _passed_on(spec)),
    )


def _on_terminal(spec: ChildSpec, arguments: dict[str, Any]) -> dict[str, Any]:
    """Popen's `arguments`, for a child that may have a terminal: to take it is something to do after setsid
    and before exec, at the price of a fork whose cost grows with our memory."""
    if spec.terminal is None:
        return arguments
    from supervisor.process.pty import after

    return {**arguments, "preexec_fn": after(arguments.get("preexec_fn"))}


def _passed_on(spec: ChildSpec) -> dict[str, Any]:
    """Popen's arguments for environment and descriptors."""
    env = {**spec.env, UNIT: spec.unit}
    if spec.listening_fd is None:
        # No preexec_fn: it rules out vfork(2), and with it a spawn whose cost doesn't grow with our memory.
        return {"env": env, "pass_fds": spec.inherit}
    # Whatever is 3 here, if only the pipe for the output, is so until Popen returns: the pipe by which it
    # learns of a failed exec never gets the number that is overwritten in the child.
    return {
        "executable": _executable(spec),  # Popen would look in our own PATH
        "preexec_fn": receiver(spec.listening_fd, env),
        "pass_fds": (LISTEN_FDS_START, *spec.inherit),
    }


def _executable(spec: ChildSpec) -> str:
    """The file that exec takes; if there is none, the one that lets it fail for the right reason."""
    program = _command(spec)[0]
    if "/" in program:
        return program
    candidates = _candidates(spec, program)
    there = [path for path in candidates if _is_there(path)]
    runnable = [path for path in there if os.access(path, os.X_OK) and path.is_file()]
    return str(next(iter([*runnable, *there, *candidates])))


def _command(spec: ChildSpec) -> list[str]:
    return [SHELL, "-c", *spec.argv] if spec.shell else list(spec.argv)


def _adopt(popen: subprocess.Popen[bytes], output_fd: int, terminal_fd: int = -1) -> Child:
    """The caller closes both descriptors if this fails; the process is ended here."""
    try:
        return Child(popen, os_facts.open_exit_fd(popen.pid), output_fd, terminal_fd)
    except BaseException:
        os.killpg(popen.pid, signal.SIGKILL)  # it may have forked already
        popen.wait()
        raise


def _explain(spec: ChildSpec, error: OSError | ValueError) -> SpawnError:
    reason, hint = _reason(spec, error)
    passes = isinstance(error, OSError) and error.errno in EXHAUSTED
    kind = OutOfResources if passes else SpawnError
    return kind(f"cannot start {_called(spec)}: {reason}", hint=hint)


def _called(spec: ChildSpec) -> str:
    if spec.shell:
        return SHELL
    from supervisor import masking  # its patterns take longer to make than a process

    return masking.mask_text(spec.program or spec.argv[0])


def _reason(spec: ChildSpec, error: OSError | ValueError) -> tuple[str, str | None]:
    """Why, and what to do. Arguments and the environment stay out of it: they may hold secrets."""
    if not isinstance(error, OSError):
        return "its command or environment holds characters that can't be passed on", None
    number = error.errno or 0
    if number in EXHAUSTED:
        return EXHAUSTED[number]
    if number == errno.E2BIG:
        return "its command line and environment are too long", None
    if number in (errno.ENOENT, errno.ENOTDIR, errno.EACCES):
        return _wrong_folder(spec) or _wrong_program(spec, number)
    if number == errno.ENOEXEC:
        return "not a program", "does its first line lack a #! with an interpreter?"
    return os.strerror(number), None


def _wrong_folder(spec: ChildSpec) -> tuple[str, str | None] | None:
    # By looking: the errno of a failed exec doesn't say whether folder or program was meant.
    hint = "cwd is relative to the folder of services.toml"
    if not _is_there(spec.cwd):
        return f"its folder {spec.cwd} does not exist", hint
    if not spec.cwd.is_dir():
        return f"{spec.cwd} is not a folder", hint
    if not os.access(spec.cwd, os.X_OK):
        return f"its folder {spec.cwd} may not be entered", None
    return None


def _wrong_program(spec: ChildSpec, number: int) -> tuple[str, str | None]:
    program = _command(spec)[0]
    found = next((path for path in _candidates(spec, program) if _is_there(path)), None)
    if found is None and "/" in program:
        return f"no such file in {spec.cwd}", None
    if found is None:
        return "command not found", f"is it installed? PATH was {os.pathsep.join(os.get_exec_path(spec.env))}"
    shown = found if _called(spec) == program else _called(spec)
    if found.is_dir():
        return f"{shown} is a folder", None
    if number == errno.ENOENT:
        return f"{shown} needs an interpreter that does not exist", "see the #! in its first line"
    return f"{shown} is not executable", f"chmod +x {shown}"


def _candidates(spec: ChildSpec, program: str) -> list[Path]:
    if "/" in program:
        return [spec.cwd / program]
    return [spec.cwd / folder / program for folder in os.get_exec_path(spec.env)]


def _is_there(path: Path) -> bool:
    return os.access(path, os.F_OK)  # Path.exists raises where a folder on the way may not be searched
