"""The way in: `portsup`, and `python -m supervisor`."""

from __future__ import annotations

import gc
import signal
import sys


def main() -> None:
    """Ctrl-C ends it in silence until the command line is there to answer it."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.disable()  # until the command is loaded: see cli/garbage.py
    from supervisor.cli.output import open_standard_descriptors

    open_standard_descriptors()
    if sys.argv[1:2] in (["up"], ["run"]):
        from supervisor.cli import foreground

        with foreground.expected(sys.argv[1:]):
            run()
    else:
        run()


def run() -> None:
    from supervisor.cli.main import run

    run()


if __name__ == "__main__":
    main()
