"""`portsup top`, from the terminal as it was to the terminal as it was."""

from __future__ import annotations

import os

from supervisor.tui.app import Top
from supervisor.tui.watcher import Scope


def run(scope: Scope, nothing: str) -> int:
    """Until somebody quits; returns the exit code. `nothing`: what to say where there is no instance.

    Raises what ended it, if that was a fault of ours.
    """
    if not os.environ.get("NO_COLOR"):
        os.environ.pop("NO_COLOR", None)  # Textual counts an empty one
    top = Top(scope, nothing)
    top.run()
    if top.failure is not None:
        raise top.failure
    return top.return_code or 0
