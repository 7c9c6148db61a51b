"""The page's modules that touch no document, by Node's own test runner."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from harness import MAY_SKIP, ROOT

NODE = shutil.which("node")
TESTS = sorted(Path(__file__).parent.glob("*.test.mjs"))


@pytest.mark.slow
@pytest.mark.skipif(NODE is None and MAY_SKIP, reason="needs node: apt install nodejs")
def test_modules_without_a_document() -> None:
    """The tests beside this file all pass."""
    assert NODE is not None, "there is no node"
    assert TESTS
    done = subprocess.run(
        [NODE, "--test", *map(str, TESTS)], cwd=ROOT, capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
