"""`scripts/bench --check`: it passes, and it can fail."""

from __future__ import annotations

import os
import subprocess
import sys

import compare
import pytest
from bounds import Bound
from claiming import ALONE
from harness import ROOT


@pytest.mark.slow
def test_a_bound_that_is_too_tight_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Really measured: what can't be reached fails the check and has a line, what can doesn't."""
    too_tight, wide = Bound(ALONE, 1000, at_least=True), Bound(ALONE, 1e-6, at_least=True)
    assert compare.check({"g"}, [wide]) == 0
    capsys.readouterr()
    assert compare.check({"g"}, [wide, too_tight]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{ALONE}: ") and line.endswith("less than 667")


@pytest.mark.long
@pytest.mark.timeout(300)
def test_portsup_keeps_its_bounds() -> None:
    """The whole of `scripts/bench --check`."""
    command = [sys.executable, str(ROOT / "bench" / "compare.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
