"""What answers have in common."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import JSONResponse


def ascii_json(content: Any) -> bytes:
    """In one line, with escapes for what UTF-8 can't carry, as the bytes of an odd path."""
    return json.dumps(content, allow_nan=False).encode("ascii")


class AsciiJSON(JSONResponse):
    def render(self, content: Any) -> bytes:
        return ascii_json(content)


def whole_number(text: str | None, digits: int = 9) -> int | None:
    """The number in a URL; None if it is none, or has more digits: an instance's has nine at most."""
    if text is None or not text.isascii() or not text.isdigit() or len(text) > digits:
        return None
    return int(text)
