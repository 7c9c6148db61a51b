"""Records with values of any kind: anybody may write into the lock folder."""

from __future__ import annotations

import json
from typing import Any

import pytest
from claims import instance_record, port_record
from fuzzing import amounts, for_all, with_wrong_values
from harness import Home
from hypothesis import strategies as st

from fuzz import records as target
from supervisor.cli.main import main
from supervisor.errors import ExitCode
from supervisor.platform.contract import Owner
from supervisor.records import encode, instance_file, port_file

RECORDS: list[Any] = [
    json.loads(encode(record))
    for record in (instance_record(), port_record(6000), port_record(6000, child=Owner(7, 8)))
]


def damaged() -> st.SearchStrategy[bytes]:
    return st.sampled_from(RECORDS).flatmap(with_wrong_values).map(lambda value: json.dumps(value).encode())


@amounts(200)
def test_nearly_right_records(amount: int) -> None:
    """Such a file holds a record that can be used, or none."""
    for_all(damaged(), target.check, amount)


@pytest.mark.slow
@amounts(30, 1000)
def test_commands_survive_any_record(
    portsup_home: Home, capfd: pytest.CaptureFixture[str], amount: int
) -> None:
    """Who looks at the machine's instances and ports sees the others all the same."""
    portsup_home.locks.mkdir(mode=0o1777)

    def check(data: bytes) -> None:
        for path in (instance_file(portsup_home.locks, 6000), port_file(portsup_home.locks, 6000)):
            path.write_bytes(data)
        for command in (["ps"], ["status", "--all", "--json"], ["why", "6000"], ["prune", "--dry-run"]):
            code = main(command)
            assert code != ExitCode.INTERNAL, capfd.readouterr().err
        capfd.readouterr()

    for_all(damaged(), check, amount)
