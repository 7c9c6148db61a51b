"""Prints numbered lines of about 80 bytes as fast as it can: `print_lines.py COUNT [FILE]`.

Then, if given, FILE byte for byte.
"""

from __future__ import annotations

import sys
from pathlib import Path

FILLING = "x" * 70


def main() -> None:
    out = sys.stdout.buffer
    for number in range(int(sys.argv[1])):
        out.write(b"%08d %s\n" % (number, FILLING.encode()))
    for name in sys.argv[2:]:
        out.write(Path(name).read_bytes())
    out.flush()


main()
