"""How services.toml writes a length of time."""

from __future__ import annotations

import math
import re

FORM = 'write "500ms", "10s", "2m", "1h" or a number of seconds'

_AMOUNT = r"([0-9]+(?:\.[0-9]+)?)[ \t-\r]*(ms|s|m|h)"
_TEXT = re.compile(_AMOUNT)

PATTERN = rf"^\s*{_AMOUNT}\s*$"
"""The text of one, as JSON Schema has it."""
LONGER_THAN_ZERO = rf"^(?=.*[1-9])\s*{_AMOUNT}\s*$"

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(value: object) -> float:
    """The duration in seconds. Raises ValueError for what isn't one, is negative or endless."""
    if isinstance(value, str):
        match = _TEXT.fullmatch(value.strip())
        if match is None:
            raise ValueError("is not a duration")
        result = float(match[1]) * _SECONDS[match[2]]
    elif isinstance(value, int | float) and not isinstance(value, bool):
        result = _as_float(value)
    else:
        raise ValueError("is not a duration")
    if result < 0:
        raise ValueError("is negative")
    if not math.isfinite(result):
        raise ValueError("is not a finite duration")
    return result


def _as_float(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf
