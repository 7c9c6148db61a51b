"""`portsup mcp` before it serves anyone."""

from __future__ import annotations

import subprocess
import sys

import pytest
from harness import ROOT, Portsup

from supervisor.cli.main import main


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port", "9010"], "--port is for --http"),
        (["--http"], "no port to listen on"),
        (["-f", "/nowhere/services.toml"], "there is no /nowhere/services.toml"),
    ],
)
def test_what_makes_no_sense(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Is said, rather than found out by the client."""
    monkeypatch.delenv("PORT", raising=False)
    assert main(["mcp", *arguments]) in (2, 78)
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("package", ["mcp", "starlette"])
def test_missing_extra(package: str) -> None:
    """Without the extra the hint says how to get it."""
    script = "import sys; sys.modules[sys.argv[1]] = None\nfrom supervisor.cli.main import main\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{script}sys.exit(main(['mcp']))", package],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"portsup: cannot serve agents: {package} is not installed",
        "hint: install its extra: pip install '.[mcp]'",
    ]


def test_without_a_client(portsup: Portsup) -> None:
    """Where standard input is closed there is none to be served."""
    command = ["sh", "-c", 'exec "$@" <&-', "sh", sys.executable, "-m", "supervisor", "mcp"]
    done = subprocess.run(
        command, env=portsup.home.environ, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert "an MCP client is needed" in done.stderr
