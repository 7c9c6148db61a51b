"""The pseudo-terminal of a child: its keyboard and screen are this process's end, the child has the other.

Its settings are the kernel's own for a new terminal (stty sane), so that programs behave as they do in any
terminal; whoever wants plain lines takes the carriage returns out that it adds. See pty(7).
"""

from __future__ import annotations

import fcntl
import os
import termios
from collections.abc import Callable

USUAL_TERM = "xterm-256color"
"""What programs may send it, where no TERM says so: every terminal of today understands this one."""


def open_pair(size: os.terminal_size) -> tuple[int, int]:
    """Our end, non-blocking, and the child's. Raises OSError if there is none left.

    Neither outlasts an exec: where a stranger held our end, the child would never see its terminal go.
    """
    ours, childs = os.openpty()
    os.set_blocking(ours, False)
    set_size(ours, size)
    return ours, childs


def set_size(ours: int, size: os.terminal_size) -> None:
    """The kernel sends SIGWINCH to the foreground group if that is another size than before."""
    termios.tcsetwinsize(ours, (size.lines, size.columns))


def redraw(ours: int) -> None:
    """Let the program in the foreground draw its screen anew: its size changes, and changes back."""
    size = os.get_terminal_size(ours)
    set_size(ours, os.terminal_size((size.columns + 1, size.lines)))
    set_size(ours, size)


def take_terminal() -> None:
    """Make standard input the controlling terminal; in the child, which leads a session by then.

    Python code between fork and exec: it takes no lock, and what it needs is imported before the fork.
    """
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def after(first: Callable[[], None] | None) -> Callable[[], None]:
    """A preexec_fn that takes the terminal, once `first` is done."""

    def prepare() -> None:
        if first is not None:
            first()
        take_terminal()

    return prepare
