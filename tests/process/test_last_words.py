"""What a forked process says before it ends."""

from __future__ import annotations

import threading

import pytest

from supervisor.process.forked import last_words


def test_no_thread_to_be_had(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """They are said all the same: an exit with code 70 and no word would tell nobody anything."""

    def start(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    last_words("portsup: internal error: MemoryError\n")
    assert capfd.readouterr().err == "portsup: internal error: MemoryError\n"
