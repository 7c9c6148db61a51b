"""A program at a terminal: says what that is like, and then does each line that is typed.

size; exit CODE; burst LINES, and exit at once; the same late; count, up to a line "end", after a nap; reopen
its terminal; draw on the other screen; deaf: read no more.
"""

from __future__ import annotations

import os
import signal
import sys
import time


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())  # also in a signal handler


def size() -> None:
    columns, rows = os.get_terminal_size(0)
    say(f"size {rows}x{columns}")


def facts() -> None:
    foreground = os.tcgetpgrp(os.open("/dev/tty", os.O_RDWR)) == os.getpgrp()
    say(f"tty {[os.isatty(fd) for fd in (0, 1, 2)]} controls {foreground} TERM {os.environ['TERM']}")
    say(f"name {os.ttyname(0)} handed {os.environ.get('LISTEN_PID') == str(os.getpid())}")


def burst(lines: str) -> None:
    sys.stdout.write("".join(f"burst {number}\n" for number in range(int(lines))))
    sys.stdout.flush()
    os._exit(0)


def late(lines: str) -> None:
    say("soon")
    time.sleep(0.5)
    burst(lines)


def count() -> None:
    say("counting")
    time.sleep(1)
    lines = 0
    while sys.stdin.readline() != "end\n":
        lines += 1
    say(f"counted {lines}")


def reopen() -> None:
    name = os.ttyname(0)
    os.closerange(0, 3)
    time.sleep(0.2)
    for _ in range(3):
        os.open(name, os.O_RDWR)
    say("reopened")


def draw() -> None:
    os.write(1, b"\x1b[?1049h\x1b[?25lDRAWN")


def deaf() -> None:
    say("deaf")
    while True:
        signal.pause()


signal.signal(signal.SIGINT, lambda *_: say("interrupted"))
signal.signal(signal.SIGTSTP, lambda *_: say("not suspended"))
signal.signal(signal.SIGWINCH, lambda *_: size())
facts()
size()
say("\x1b[32mgreen\x1b[0m")
say("at your service")
while line := sys.stdin.readline():
    command, *arguments = line.split() or [""]
    if command == "exit":
        sys.exit(int(arguments[0]))
    elif command in ("size", "burst", "late", "count", "reopen", "draw", "deaf"):
        globals()[command](*arguments)
    else:
        say(f"heard {line.strip()}")
