"""What `down` waits for."""

from __future__ import annotations

from pathlib import Path

import pytest
from claims import instance_record

from supervisor import records
from supervisor.cli.down import remains
from supervisor.ports.lock import HeldLock, take


def test_a_lock_that_is_being_given_back_is_still_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Emptied, and held until it is unlinked; an empty file that nobody holds is nobody's."""
    monkeypatch.setenv("PORTSUP_LOCK_DIR", str(tmp_path))
    record = instance_record()
    path = records.instance_file(tmp_path, record.base_port)
    lock = take(path)
    assert isinstance(lock, HeldLock)
    assert remains(record) == [str(path)]
    lock.close()
    assert path.exists() and remains(record) == []
