"""Prints colours and what would run in a careless page, then "again 1", "again 2", … for each SIGUSR1."""

from __future__ import annotations

import itertools
import signal

HOSTILE = "<script>window.hit = 1</script><img src=x onerror='window.hit = 2'> \x1b]0;title\x07\x1b[2J"


def main() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    print("\x1b[31mred\x1b[0m \x1b[38;5;208morange\x1b[0m \x1b[48;2;0;0;120;97mon blue\x1b[0m plain")
    print(HOSTILE, flush=True)
    for number in itertools.count(1):
        signal.sigwait([signal.SIGUSR1])
        print("again", number, flush=True)


main()
