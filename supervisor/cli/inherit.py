"""What the children of a supervisor that is started here inherit."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def environment() -> dict[str, str]:
    """This process's. The folder of this very `portsup` comes last in PATH, so that a service can call it
    and finds its own tools first."""
    own = str(Path(sys.executable).parent)
    path = os.environ.get("PATH", os.defpath)
    return {**os.environ, "PATH": path if own in path.split(os.pathsep) else f"{path}{os.pathsep}{own}"}
