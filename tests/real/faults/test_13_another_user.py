"""Fault 13: another user's lock on the port.

Treated as taken; named by uid.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from claims import NOBODY, needs_root
from harness import WITHOUT_ROOTS_RIGHTS, Home, Portsup, write_stack

from supervisor import records

AS_NOBODY = (
    *("setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"),
    *("--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"),
)
"""Before a command. It may read all files, as it must where Python itself lies below /root; it may write to
no more than its user may."""

pytestmark = needs_root


@dataclass(frozen=True)
class Neighbour(Home):
    """Another user's home on the same machine, with the same lock folder."""

    shared: Path

    @property
    def locks(self) -> Path:
        return self.shared


@pytest.fixture
def neighbour(portsup_home: Home) -> Iterator[Portsup]:
    """The command as nobody, in a worktree of theirs."""
    home = Neighbour(Path(tempfile.mkdtemp(prefix="p", dir="/tmp")), portsup_home.locks)
    for folder in (home.folder, home.folder / "run", home.folder / "work"):
        folder.mkdir(mode=0o700, exist_ok=True)
        os.chown(folder, NOBODY, NOBODY)
    portsup_home.locks.mkdir()
    portsup_home.locks.chmod(0o1777)
    command = Portsup(home, home.folder / "work", AS_NOBODY)
    yield command
    command.close()
    shutil.rmtree(home.folder)


def hold(user: Portsup, port: int, instance: int) -> int:
    """Bring up a stack with nothing but this port; the pid of the service."""
    web = {"pool": {"ports": [port]}}
    write_stack(user.cwd, {"web": web}, base_port=port // 1000 * 1000 + 500, name="theirs")
    done = user.run("up", "-i", str(instance), "--wait")
    assert done.returncode == 0, done.stderr
    return int(user.service(instance, "web")["pid"])


def test_another_user_holds_it(portsup: Portsup, ports_block: int, neighbour: Portsup) -> None:
    """Passed over for the pool's next port, or refused; by root as well, who could do anything."""
    pid = hold(neighbour, ports_block, 1)
    theirs = f"{ports_block}  theirs instance 1 (web) in {neighbour.cwd}, pid "
    write_stack(portsup.cwd, {"web": {"pool": {"offset": 0, "size": 2}}}, base_port=ports_block)
    beside = portsup.run("up", "-i", "1", "--wait").stderr
    assert theirs in beside and f" of uid {NOBODY}, for " in beside
    assert f"; using {ports_block + 1}" in beside
    assert portsup.run("down").returncode == 0
    write_stack(portsup.cwd, {"web": {"pool": {"offset": 0, "size": 1}}}, base_port=ports_block)
    refused = portsup.run("up", "-i", "1")
    assert refused.returncode == 69
    assert theirs in refused.stderr and f" of uid {NOBODY}, for " in refused.stderr
    assert neighbour.service(1, "web")["pid"] == pid and psutil.Process(pid).uids().real == NOBODY
    assert neighbour.run("down").returncode == 0


def test_root_holds_it(portsup: Portsup, ports_block: int, neighbour: Portsup) -> None:
    """The other way round: whom to ask is said."""
    hold(portsup, ports_block, 1)
    write_stack(neighbour.cwd, {"web": {"pool": {"offset": 0, "size": 1}}}, base_port=ports_block)
    refused = neighbour.run("up", "-i", "1")
    assert refused.returncode == 69
    assert f"{ports_block}  theirs instance 1 (web) in {portsup.cwd}, pid " in refused.stderr
    assert " of uid 0, for " in refused.stderr and "hint: ask uid 0" in refused.stderr
    assert portsup.run("down").returncode == 0


def test_a_lock_that_can_not_be_read(
    portsup_home: Home, tmp_path: Path, ports_block: int, neighbour: Portsup
) -> None:
    """Whose the file is can be told all the same."""
    hold(neighbour, ports_block, 1)
    bound = Portsup(portsup_home, tmp_path, WITHOUT_ROOTS_RIGHTS)
    write_stack(tmp_path, {"web": {"pool": {"offset": 0, "size": 1}}}, base_port=ports_block)
    supervisor = psutil.Process(neighbour.instance(1)["supervisor"]["pid"])
    supervisor.suspend()  # or it would make the file readable again
    try:
        records.port_file(portsup_home.locks, ports_block).chmod(0o600)
        refused = bound.run("up", "-i", "1")
    finally:
        supervisor.resume()
    assert refused.returncode == 69
    assert f"{ports_block}  locked by uid {NOBODY}, unreadable" in refused.stderr
    assert f"hint: ask uid {NOBODY}" in refused.stderr
    assert neighbour.run("down").returncode == 0
