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


def whole_number(text: str | None) -> int | None:
    """The number of an instance in a URL; None if it is none."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 10 else None
