"""What portsup's log is held against: the shortest loop that copies one child's output into a file.

usage: bare_copy.py FILE COMMAND...     SIGTERM ends both
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys


def main(path: str, command: list[str]) -> None:
    with open(path, "wb", buffering=0) as log, subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        assert child.stdout is not None
        while chunk := os.read(child.stdout.fileno(), 65536):
            log.write(chunk)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
