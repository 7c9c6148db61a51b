"""The `${…}` language: parsing it, naming what it refers to, and filling it in. Pure."""

from __future__ import annotations

from collections.abc import Callable


def references(text: str) -> list[str]:
    """The names inside every `${…}` of `text`, in order. Raises ValueError if it is malformed."""
    raise NotImplementedError


def interpolate(text: str, look_up: Callable[[str], str]) -> str:
    """`text` with every `${name}` replaced by `look_up(name)` and `$$` by a dollar."""
    raise NotImplementedError
