"""How services.toml writes an amount of bytes."""

from __future__ import annotations

import re

FORM = 'write "512KB", "10MB", "1GiB" or a number of bytes'

_AMOUNT = r"([0-9]+)[ \t-\r]*(B|KB|MB|GB|KiB|MiB|GiB)"
_TEXT = re.compile(_AMOUNT)

PATTERN = rf"^\s*{_AMOUNT}\s*$"
"""The text of one, as JSON Schema has it."""

_BYTES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}

_DIGITS_MAX = 18
"""With as many a size is beyond all bounds; Python refuses to read some thousands of them."""


def size(value: object) -> int:
    """The bytes. Raises ValueError for what is no amount of them."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _TEXT.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("is not a size")
    digits = match[1].lstrip("0")[:_DIGITS_MAX]
    return int(digits or 0) * _BYTES[match[2]]


def text(amount: int) -> str:
    """As a person would write it: "10MB", "64KiB", or bytes where no unit fits."""
    largest_first = sorted(_BYTES, key=_BYTES.__getitem__, reverse=True)
    unit = next(unit for unit in largest_first if amount % _BYTES[unit] == 0) if amount else "B"
    return f"{amount // _BYTES[unit]}{unit}"
