"""What a command says whose extra isn't installed. Leaf."""

from __future__ import annotations

from supervisor.errors import PortsupError


def missing_extra(doing: str, extra: str, missing: ModuleNotFoundError) -> PortsupError:
    """For `raise … from missing`: what can't be done ("serve"), and the extra of ours that it needs."""
    package = (missing.name or "").split(".")[0]
    return PortsupError(
        f"cannot {doing}: {package} is not installed", hint=f"install its extra: pip install '.[{extra}]'"
    )
