"""What answers have in common."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import JSONResponse

from supervisor.monitor import instances

HINTS = instances.Hints("GET /api/services lists them", "name the stack: ?stack=NAME")


class AsciiJSON(JSONResponse):
    """JSON that escapes what UTF-8 can't carry, as the bytes of an odd path."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, allow_nan=False).encode("ascii")


def whole_number(text: str | None) -> int | None:
    """The number of an instance in a URL; None if it is none."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 10 else None
