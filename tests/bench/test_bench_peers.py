"""Peers of the benchmark that can't be had, or fail."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import installing
import peers
import pytest
from figures import Figure
from harness import Home
from launchers import Launcher
from turns import in_turn


class Failing(Launcher):
    """Starts something that stays, and fails."""

    name = "failing"
    is_peer = True
    homes: list[Home] = []

    def start(self, count: int) -> None:
        self.homes.append(self.stage.home)
        self._launch([sys.executable, "-c", "import time; time.sleep(120)"])
        raise TimeoutError("no service is there")


def up(launcher: Launcher) -> Iterator[Figure]:
    launcher.start(1)
    yield Figure("a", "up", launcher.name, 1, "ms")


def test_a_peer_that_fails_is_told_and_leaves_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """It yields no figure, and what it started is ended."""
    assert list(in_turn(up)((), [Failing])) == []
    assert "failing takes no part in up: no service is there" in capsys.readouterr().err
    (home,) = Failing.homes
    assert home.processes() == []


def test_portsup_that_fails_is_no_figure_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a peer's failure is passed over."""
    monkeypatch.setattr(Failing, "is_peer", False)
    with pytest.raises(TimeoutError):
        list(in_turn(up)((), [Failing]))


def test_a_peer_that_cannot_be_installed_is_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without npm there is no peer of npm's, and a line says so."""
    monkeypatch.setattr(installing, "INSTALLED", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert peers.installed(["pm2"]) == []
    assert "pm2 is left out: there is no npm" in capsys.readouterr().err
