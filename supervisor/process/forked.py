"""What a forked process does around its work: flush, run, exit. Light: the guard lives on it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from supervisor.errors import MORE_DESCRIPTORS, NO_DESCRIPTORS, ExitCode, PortsupError

LAST_WORDS_SECONDS = 1.0


def fork() -> int:
    """As os.fork, with nothing left in a buffer to be written twice. Raises PortsupError."""
    flush()
    try:
        return os.fork()
    except OSError as error:
        raise PortsupError(
            f"cannot start a process: {error.strerror}", hint="raise the limit: ulimit -u"
        ) from error


def make_pipe() -> tuple[int, int]:
    """Read and write end, close-on-exec. Raises PortsupError."""
    try:
        return os.pipe()
    except OSError as error:
        raise PortsupError(f"cannot make a pipe: {error.strerror}", hint=MORE_DESCRIPTORS) from error


def run_and_exit(body: Callable[[], int]) -> NoReturn:
    """Run what a forked child is for, and end there: never return into the parent's code."""
    code: int = ExitCode.INTERNAL
    try:
        code = body()
    except BaseException as error:
        say(_excuse(error))
    finally:
        flush()
        os._exit(code)


def _excuse(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno in NO_DESCRIPTORS:
        return f"no file descriptors are left: {MORE_DESCRIPTORS}"
    return f"internal error: {type(error).__name__}: {error}{_place(error)}"


def _place(error: BaseException) -> str:
    """Where it was raised: " (unit.py:12)"."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return f" ({os.path.basename(place.tb_frame.f_code.co_filename)}:{place.tb_lineno})" if place else ""  # noqa: PTH119


def flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass  # there is none, its reader is gone, or it is closed


def say(line: str) -> None:
    """One line for the person at the terminal, if that takes it."""
    last_words(f"portsup: {line}\n")


def last_words(text: str) -> None:
    """Write to stderr, and wait LAST_WORDS_SECONDS at the most: a terminal after Ctrl-S, or a pipe that
    nobody reads, would never take it.

    By a thread: to make the descriptor non-blocking would do the same to the user's shell, which shares it.
    Where the machine has no thread to give (or no memory for one, which may be what these words are about),
    what is writable at once gets them.
    """
    import threading

    data = text.encode(errors="backslashreplace")
    writer = threading.Thread(target=_write, args=(data,), daemon=True)
    try:
        writer.start()
    except RuntimeError:
        _write_if_writable(data)
        return
    writer.join(LAST_WORDS_SECONDS)


def _write_if_writable(data: bytes) -> None:
    """As much as a pipe that is writable takes without waiting."""
    import select

    if select.select((), (2,), (), LAST_WORDS_SECONDS)[1]:
        _write(data[: select.PIPE_BUF])


def _write(data: bytes) -> None:
    try:
        while data:
            data = data[os.write(2, data) :]
    except OSError:
        pass  # its reader is gone, or it is closed


def hup_is_ignored() -> bool:
    """By nohup(1): then it stays ignored, here and in all children."""
    return signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
