"""Changes inside a JSON text that leave it JSON: changed bytes rarely get past the parser."""

from __future__ import annotations

import json
from random import Random
from typing import Any

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 2**31, 2**63, 10**400, float("inf"), float("nan")),
    *("", "x", "\0", "\ud800", "\x1b[2J", "{", [], {}, [[]], {"a": 1}),
)


def mutated(data: bytes, random: Random) -> bytes | None:
    """`data` with one value replaced or taken out; None if it isn't JSON."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return json.dumps(_changed(document, random)).encode()


def _changed(value: Any, random: Random) -> Any:
    if isinstance(value, dict) and value and random.random() < 0.9:
        return dict(_changed_items(list(value.items()), random))
    if isinstance(value, list) and value and random.random() < 0.7:
        return [item for _, item in _changed_items(list(enumerate(value)), random)]
    return random.choice(VALUES)


def _changed_items(items: list[tuple[Any, Any]], random: Random) -> list[tuple[Any, Any]]:
    at = random.randrange(len(items))
    key, value = items[at]
    instead = [] if random.random() < 0.1 else [(key, _changed(value, random))]
    return [*items[:at], *instead, *items[at + 1 :]]
