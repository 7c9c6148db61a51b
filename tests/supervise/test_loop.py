"""The event loop without OpenSSL."""

from __future__ import annotations

import subprocess
import sys

LOOP = """
import sys
from supervisor.supervise.loop import run

async def main() -> int:
    loaded = "_ssl" in sys.modules
    import ssl
    return 2 * loaded + (ssl.OPENSSL_VERSION == "")

sys.exit(run(main()))
"""


def test_asyncio_comes_without_ssl() -> None:
    """Not loaded by the loop, and there all the same for whoever asks for it."""
    subprocess.run([sys.executable, "-c", LOOP], check=True, timeout=30)
