"""The event loop, without OpenSSL.

asyncio imports `ssl` where there is one. Nothing that a supervisor speaks is encrypted, and each would keep
1.5 MiB of it for as long as it lives.
"""

from __future__ import annotations

import sys
from collections.abc import Coroutine
from typing import Any


def run(main: Coroutine[Any, Any, int]) -> int:
    """asyncio.run. Call it before anything else has imported asyncio."""
    _import_without_ssl()
    import asyncio

    return asyncio.run(main)


def _import_without_ssl() -> None:
    """None in sys.modules is how Python is told that there is no such module; asyncio does without it."""
    if "ssl" in sys.modules:
        return
    sys.modules["ssl"] = None  # type: ignore[assignment]
    try:
        import asyncio  # noqa: F401
    finally:
        del sys.modules["ssl"]
