"""What is said of an error and of a change, as lines that a screen may get."""

from __future__ import annotations

from supervisor import shown
from supervisor.errors import PortsupError
from supervisor.snapshot import ServiceSnapshot
from supervisor.tui.safe_text import plain


def of_error(failure: PortsupError) -> list[str]:
    """Message, details, hint."""
    hint = [f"hint: {failure.hint}"] if failure.hint else []
    return [plain(line) for line in (failure.message, *failure.details, *hint)]


def of_change(verb: str, service: str, after: ServiceSnapshot | None) -> str:
    """What a service became by `verb`; None: its instance tells nothing of it."""
    if after is None:
        return plain(f"{service}: {verb} is done")
    return plain(shown.outcome(after))
