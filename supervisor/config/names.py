"""What services and pools may be called."""

from __future__ import annotations

import re

NAME = "[A-Za-z][A-Za-z0-9_-]{0,63}"

_NAME = re.compile(NAME)


def wrong_name(name: str) -> str | None:
    """Why `name` can't be a service's or pool's, or None if it can."""
    if _NAME.fullmatch(name):
        return None
    return "a name has letters, digits, - and _, begins with a letter and is at most 64 characters long"
