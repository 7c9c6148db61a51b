"""Real terminals: one with a command in its foreground and a keyboard, and one to write to."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyte
from harness import LOOK_EVERY, wait_until

CTRL_C, CTRL_BACKSLASH = b"\x03", b"\x1c"

TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


class Terminal:
    def __init__(
        self, command: Sequence[str], cwd: Path, environ: Mapping[str, str], size: tuple[int, int] = (80, 24)
    ) -> None:
        """`command` leads a session on it, as a shell's job would be in its foreground group. `size` in
        columns and rows."""
        self.command = command
        self._size = size
        self._keyboard, self._line = pty.openpty()
        self.resize(size[1], size[0])
        self.settings = termios.tcgetattr(self._line)
        self._shown = bytearray()
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", TAKE_TERMINAL, *command],
            cwd=cwd,
            env=environ,
            stdin=self._line,
            stdout=self._line,
            stderr=self._line,
            start_new_session=True,
        )

    @property
    def screen(self) -> str:
        """All that was written to it so far."""
        self._read(0)
        return self._shown.decode(errors="replace").replace("\r\n", "\n")

    @property
    def rows(self) -> list[str]:
        """What stands on it now, without spaces at the end of rows and empty rows at its own end."""
        shown = pyte.Screen(*self._size)
        pyte.Stream(shown).feed(self.screen.replace("\n", "\r\n"))
        return "\n".join(row.rstrip() for row in shown.display).rstrip().split("\n")

    def _read(self, seconds: float) -> None:
        """What is there, or comes within `seconds`."""
        while select.select([self._keyboard], [], [], seconds)[0]:
            self._shown += os.read(self._keyboard, 65536)
            seconds = 0

    def write(self, text: bytes) -> None:
        """As another command would."""
        os.write(self._line, text)

    def type(self, key: bytes) -> None:
        """The kernel takes it up soon."""
        os.write(self._keyboard, key)

    def resize(self, rows: int, columns: int) -> None:
        """The kernel tells its foreground group, if that is another size than before."""
        termios.tcsetwinsize(self._keyboard, (rows, columns))

    def press(self, key: bytes) -> None:
        """Return when the kernel has taken it up: then it shows it, and has sent its signal."""
        shown = "^" + chr(key[0] + 64)
        before = self.screen.count(shown)
        self.type(key)
        wait_until(lambda: self.screen.count(shown) > before, 10, f"the terminal to show {shown}")

    def runs(self) -> bool:
        """Whether the command has taken the terminal and been executed."""
        return (
            Path(f"/proc/{self.process.pid}/cmdline")
            .read_bytes()
            .startswith(b"\0".join(map(os.fsencode, self.command)))
        )

    def wait(self, seconds: float = 15) -> int:
        """The exit code; reads what is written meanwhile, so that nobody waits for the terminal."""

        deadline = time.monotonic() + seconds
        while (code := self.process.poll()) is None:
            assert time.monotonic() < deadline, f"not ended within {seconds} s; on its screen:\n{self.screen}"
            self._read(LOOK_EVERY)
        return code

    def is_as_before(self) -> bool:
        """Whether the command has left its settings as they were."""
        settings: list[Any] = termios.tcgetattr(self._line)
        return settings == self.settings

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._keyboard)
        os.close(self._line)


class Screen:
    """A terminal that commands write to and nobody types at, read all the time, and all that it was sent."""

    def __init__(self) -> None:
        self._primary, self.fd = os.openpty()
        self._before = termios.tcgetattr(self.fd)
        self._seen = bytearray()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        with suppress(OSError):  # how Linux says that nobody has the other side open any more
            while data := os.read(self._primary, 1 << 16):
                self._seen += data

    @property
    def seen(self) -> bytes:
        return bytes(self._seen)

    def is_as_before(self) -> bool:
        """Whether it echoes, cooks lines and so on as it did at the start."""
        return termios.tcgetattr(self.fd) == self._before

    def close(self) -> None:
        """Once nobody writes to it any more."""
        os.close(self.fd)
        self._reader.join(10)
        os.close(self._primary)
