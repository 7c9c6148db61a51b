"""What another user's record can't do to a command of ours. Who may speak for a worktree: test_target.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from claims import NOBODY, instance_record, needs_root, port_record

from supervisor import records
from supervisor.cli.down import remains
from supervisor.cli.env import variables
from supervisor.errors import PortsupError


def test_its_variables_are_not_taken() -> None:
    """A shell or a command that had that user's PATH would run what that user likes."""
    record = instance_record(uid=os.geteuid() + 1)
    with pytest.raises(PortsupError, match="test instance 1: it belongs to uid") as caught:
        variables(record, None)
    assert caught.value.hint is not None and f"sudo -u '#{record.uid}'" in caught.value.hint


@needs_root
def test_it_does_not_keep_down_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock file of another user's that names our instance is none of ours."""
    monkeypatch.setenv("PORTSUP_LOCK_DIR", str(tmp_path))
    record = instance_record(instance_id="gone-1")
    path = records.port_file(tmp_path, 6000)
    path.write_bytes(records.encode(port_record(6000, instance_id="gone-1")))
    assert remains(record) == [str(path)]
    path.write_bytes(records.encode(port_record(6000, instance_id="gone-1", uid=NOBODY)))
    os.chown(path, NOBODY, NOBODY)
    assert remains(record) == []
