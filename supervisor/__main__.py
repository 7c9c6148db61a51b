"""The way in: `portsup`, and `python -m supervisor`."""

from __future__ import annotations

import gc
import signal


def main() -> None:
    """Ctrl-C ends it in silence until the command line is there to answer it."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.disable()  # until the command is loaded: see cli/garbage.py
    from supervisor.cli.main import run

    run()


if __name__ == "__main__":
    main()
