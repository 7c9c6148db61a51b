"""Prints each signal that it gets, and ends with the first TERM: tells_signals.py."""

from __future__ import annotations

import os
import signal


def tell(signum: int, frame: object) -> None:
    os.write(1, f"got {signal.Signals(signum).name}\n".encode())  # print can't be interrupted by itself
    if signum == signal.SIGTERM:
        os._exit(0)


for one in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
    signal.signal(one, tell)
os.write(1, b"up\n")
while True:
    signal.pause()
