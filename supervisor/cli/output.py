"""Writing for people and for programs: data to stdout, everything else to stderr.

Names of stacks, worktrees and services may come from another user's lock file, so that nothing goes
to a terminal before its control characters are made visible.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any, TextIO

from supervisor.errors import PortsupError

FOLD_INDENT = 4
"""Spaces before what goes on in the next line."""

FOLD_MIN = 40
"""Cells; below this a fold does more harm than good."""


def open_standard_descriptors() -> None:
    """A caller may have closed one (`>&-`). The next file that we open would get its number, and with it
    what was meant for a terminal."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one


def buffer_stdout() -> None:
    """With PYTHONUNBUFFERED, stdout is the bare descriptor: a write to it may take a part and say so to
    nobody, and after one that failed nothing is left that tells it from a failure of ours."""
    if sys.stdout is not None and isinstance(sys.stdout.buffer, io.RawIOBase):
        sys.stdout = open(  # noqa: SIM115 - as long-lived as the process
            1, "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors, closefd=False
        )


def emit(text: str) -> None:
    """Write `text`, which ends in a newline unless it is empty, to stdout at once."""
    emit_bytes(text.encode(getattr(sys.stdout, "encoding", None) or "utf-8", "backslashreplace"))


def emit_bytes(data: bytes) -> None:
    """Raises BrokenPipeError if the reader went away, PortsupError if stdout can't take the data."""
    if sys.stdout is None:  # the caller closed it, as `>&-` does
        return
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _unwritable(error) from error


def unwritable_stdout() -> PortsupError | None:
    """Why what was printed can't get out, as click prints help; None if nothing waits for that."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        return _unwritable(error)
    return None


def _unwritable(error: OSError) -> PortsupError:
    silence_stdout()
    return PortsupError(f"cannot write to standard output: {error.strerror}")


def emit_lines(lines: Iterable[str]) -> None:
    """Write each line to stdout. On a terminal a long one goes on below, a bit further to the right,
    without a word or a path being broken."""
    told = [printable(line) for line in lines]
    if is_terminal(sys.stdout):
        width = terminal_width()
        told = [folded(line, width) for line in told]
    emit("".join(f"{line}\n" for line in told))


def folded(line: str, width: int) -> str:
    """`line` for a terminal with so many columns."""
    width = max(width, FOLD_MIN)
    if len(line) <= width:
        return line
    import textwrap

    indent = " " * (len(line) - len(line.lstrip()) + FOLD_INDENT)
    return textwrap.fill(
        line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def silence_stdout() -> None:
    """Lead stdout to nowhere, or the interpreter's own flush at its end would complain once more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def emit_json(document: Mapping[str, Any]) -> None:
    """One JSON object, indented where a person looks at it and on one line where a program reads."""
    import json

    emit(json.dumps(document, indent=2 if is_terminal(sys.stdout) else None) + "\n")


def note(text: str) -> None:
    """Say one line on stderr. A stderr that is closed or full is no reason to fail."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(printable(text) + "\n")
        sys.stderr.flush()
    except OSError:
        pass


def is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def terminal_width() -> int:
    import shutil  # not for those that write into a pipe

    return shutil.get_terminal_size().columns


def has_colour(stream: TextIO | None) -> bool:
    """Whether colours may go there: a terminal that knows them, and NO_COLOR is unset or empty."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def printable(text: str) -> str:
    """`text` with control characters as escapes, so that it cannot move a cursor or retitle a window."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")
