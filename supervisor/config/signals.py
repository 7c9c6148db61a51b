"""How services.toml names a signal."""

from __future__ import annotations

import signal

FORM = 'write a name such as "TERM" or "SIGTERM", or a number'


def number(value: object) -> int:
    """The signal's number. Raises ValueError if this system has no such signal."""
    if isinstance(value, str):
        name = value if value.startswith("SIG") else f"SIG{value}"
        if name in signal.Signals.__members__:
            return int(signal.Signals[name])
    elif isinstance(value, int) and not isinstance(value, bool) and value in signal.valid_signals():
        return int(value)
    raise ValueError("is not a signal of this system")


def names() -> list[str]:
    """Those of this system, each without and with SIG."""
    full = list(signal.Signals.__members__)
    return [*(name.removeprefix("SIG") for name in full), *full]


def numbers() -> list[int]:
    return sorted(map(int, signal.valid_signals()))


def signal_name(signum: int) -> str:
    """ "KILL" for 9; a real-time signal has no name but its number."""
    try:
        return signal.Signals(signum).name.removeprefix("SIG")
    except ValueError:
        return str(signum)
