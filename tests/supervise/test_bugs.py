"""A fault of portsup's own: told in one line, and no reason to end services."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from supervisor.supervise.events import EventLog
from supervisor.supervise.watch import Watcher


def test_a_failing_watcher_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A round that raises is reported, and the next one comes."""
    monkeypatch.setattr("supervisor.supervise.watch.PERIOD", 0.0)
    reported: list[str] = []

    async def watch() -> None:
        enough = asyncio.Event()

        def report(where: str, bug: BaseException) -> None:
            reported.append(f"{where}: {bug}")
            if len(reported) == 2:
                enough.set()

        def units() -> Any:
            raise RuntimeError("no units")

        async def nothing() -> None:
            pass

        task = asyncio.create_task(Watcher(units, nothing, report, None).run())
        await asyncio.wait_for(enough.wait(), 10)
        task.cancel()

    asyncio.run(watch())
    assert len(reported) >= 2
    assert set(reported) == {"the watcher: no units"}


def test_an_event_with_anything_in_it(tmp_path: Path) -> None:
    """Whatever a field holds, the line is one JSON object."""
    said: list[tuple[str, str, str | None, str]] = []
    log = EventLog(tmp_path / "logs" / "events", lambda *line: said.append(line), instance=3)
    log.error("bug", "what\nhappened", service="web", path=Path("/x"), text="\udcff")
    log.close()
    (line,) = (tmp_path / "logs" / "events").read_text().splitlines()
    entry = json.loads(line)
    assert (entry["level"], entry["event"], entry["instance"], entry["service"]) == ("error", "bug", 3, "web")
    assert (entry["path"], entry["text"], entry["message"]) == ("/x", "\udcff", "what\nhappened")
    assert said == [("error", "bug", "web", "what\nhappened")]
