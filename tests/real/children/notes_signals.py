"""A process and its own child, which live on whatever they are sent: `notes_signals.py FILE`.

Each signal that can be caught is noted in FILE by its name. Says "ready" when both are set up.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path


def main() -> None:
    file = Path(sys.argv[1])
    file.touch()

    def note(signum: int, _frame: object) -> None:
        with file.open("a") as notes:
            notes.write(f"{signal.Signals(signum).name}\n")

    for signum in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
        signal.signal(signum, note)
    if os.fork():
        print("ready", flush=True)
    while True:
        signal.pause()


main()
