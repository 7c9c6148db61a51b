"""`why`, `prune` and `status` where the lock, the process or the worktree is another user's."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from claims import (
    NOBODY,
    another_user,
    dead_owner,
    files,
    instance_record,
    needs_root,
    port_record,
    public_folder,
)
from click.testing import CliRunner, Result
from harness import foreigner, port_block

from supervisor import records
from supervisor.cli import prune, stack_file, status, target, why  # noqa: F401 - the group imports them late, as nobody
from supervisor.cli.main import cli
from supervisor.config import load  # noqa: F401 - `why` imports it late
from supervisor.errors import LockFolderError
from supervisor.platform import os_facts
from supervisor.records import encode, port_file

pytestmark = needs_root


@pytest.fixture
def locks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with public_folder() as folder:
        monkeypatch.setenv("PORTSUP_LOCK_DIR", str(folder))
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder / "run"))
        monkeypatch.chdir(folder)
        yield folder


@pytest.fixture
def port() -> Iterator[int]:
    with port_block() as base:
        yield base


def by_nobody(*arguments: str) -> Result:
    """In this process, since another user may not run, or import, what lies in this one's home."""
    with another_user():
        return CliRunner().invoke(cli, arguments, catch_exceptions=False)


def leave(folder: Path, port: int, uid: int = 0, **fields: Any) -> Path:
    path = port_file(folder, port)
    told = {"supervisor": dead_owner(), "instance_id": "dead-1", "uid": uid, **fields}
    path.write_bytes(encode(port_record(port, **told)))
    os.chown(path, uid, uid)
    return path


@contextlib.contextmanager
def flocked(path: Path) -> Iterator[None]:
    with path.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def test_a_live_lock(locks: Path, port: int) -> None:
    """That user is to be asked, and prune has nothing to do with it."""
    me = os_facts.owner(os.getpid())
    with flocked(leave(locks, port, supervisor=me)):
        lines = by_nobody("why", str(port)).stdout.splitlines()
        assert lines[0].startswith(
            f"{port}  test instance 1 (api) in /work/test, pid {os.getpid()} of uid 0, for "
        )
        assert lines[1:] == ["to free it: ask uid 0"]
        done = by_nobody("prune")
        assert (done.exit_code, done.stdout, done.stderr) == (0, "", "nothing to prune\n")


def test_a_stale_lock(locks: Path, port: int) -> None:
    """Named, left alone, and no failure of whoever may not remove it."""
    path = leave(locks, port)
    told = by_nobody("why", str(port)).stdout.splitlines()
    assert told == [
        f"{port}  stale lock of test instance 1 (api) in /work/test (uid 0): nobody lives there",
        "hint: root must run `portsup prune`",
    ]
    for arguments in (["--dry-run"], []):
        done = by_nobody("prune", *arguments)
        assert done.exit_code == 0
        line = done.stdout.splitlines()[1]
        assert line == f"  left alone: {path}, api: it is uid 0's; root must run `portsup prune`"
    assert path.exists()


@pytest.mark.parametrize("text", [b"", b"garbage"])
def test_an_empty_file_is_not_free(locks: Path, port: int, text: bytes) -> None:
    """Nobody but its user can remove it, so that no other can claim the port."""
    port_file(locks, port).write_bytes(text)
    first, hint = by_nobody("why", str(port)).stdout.splitlines()
    assert first == f"{port}  stale lock of an unknown instance (uid 0): nobody lives there"
    assert hint == "hint: root must run `portsup prune`"


def test_an_unreadable_file(locks: Path, port: int) -> None:
    """Taken, as far as can be told."""
    leave(locks, port).chmod(0o600)
    told = by_nobody("why", str(port)).stdout.splitlines()
    assert told == [f"{port}  locked by uid 0, unreadable", "to free it: ask uid 0"]
    assert json.loads(by_nobody("why", str(port), "--json").stdout)["holding"] == "held"


def test_what_is_no_file(locks: Path, port: int) -> None:
    """Its user has to remove it."""
    port_file(locks, port).symlink_to("/nowhere")
    hint = by_nobody("why", str(port)).stdout.splitlines()[-1]
    assert hint == f"hint: root must remove {port_file(locks, port)}"


def test_a_record_that_speaks_for_another_user(locks: Path, port: int) -> None:
    """nobody's file says that root's live instance holds the port: its word isn't taken."""
    me = os_facts.owner(os.getpid())
    path = leave(locks, port, supervisor=me)
    os.chown(path, NOBODY, NOBODY)
    result = CliRunner().invoke(cli, ["why", str(port), "--json"])
    told = json.loads(result.stdout)
    assert (told["holding"], told["record"], told["file_uid"]) == ("held", None, NOBODY)
    assert told["hint"] == f"ask uid {NOBODY}"


def test_a_listener_that_cannot_be_seen(locks: Path, port: int) -> None:
    """The kernel still tells whose it is."""
    with foreigner(port):
        first, hint = by_nobody("why", str(port)).stdout.splitlines()
    assert first == f"{port}  not portsup's: somebody of uid 0 on 127.0.0.1"
    assert hint == "hint: root must end it, for portsup won't, or give the pool more ports"


def test_a_folder_that_cannot_be_looked_into(locks: Path, port: int) -> None:
    """Said, instead of that there is nothing."""
    leave(locks, port)
    locks.chmod(0o700)
    for arguments in (["why", str(port)], ["prune"]):
        with pytest.raises(LockFolderError, match=f"cannot look into {locks}"):
            by_nobody(*arguments)


def test_prune_that_may_not_remove(locks: Path, port: int) -> None:
    """The user's own file in a folder that became read-only: exit 1, with the reason and the way out."""
    path = leave(locks, port, NOBODY)
    locks.chmod(0o755)
    done = by_nobody("prune")
    assert done.exit_code == 1
    line = done.stdout.splitlines()[1]
    reason = f"Permission denied; make {locks} writable, then run `portsup prune` again"
    assert line == f"  not removed: {path}, api: {reason}"
    told = json.loads(by_nobody("prune", "--json").stdout)["leftovers"][0]
    assert (told["gone"], told["kept"], told["failed"]) == (False, None, "Permission denied")
    assert by_nobody("prune", "--dry-run").exit_code == 0


@contextlib.contextmanager
def untouchable() -> Iterator[subprocess.Popen[str]]:
    """A process that runs as nobody, and was somebody else: nobody may not signal it."""
    code = f"import os; os.setresuid(1234, {NOBODY}, 1234); print('ready', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        try:
            yield process
        finally:
            process.send_signal(signal.SIGKILL)


def test_prune_that_may_not_end(locks: Path, port: int) -> None:
    """Exit 1, with the reason and the way out; its file stays."""
    with untouchable() as process:
        path = leave(locks, port, NOBODY, child=os_facts.owner(process.pid))
        done = by_nobody("prune")
        assert done.exit_code == 1 and process.poll() is None
        first, second = done.stdout.splitlines()[1:]
        assert first.startswith(f"  not ended: pid {process.pid} (")
        assert first.endswith(": this user may not signal it; root must run `portsup prune`")
        assert "processes of its instance live" in second and path.exists()


def test_no_worktree_by_another_users_word(locks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record of another user's may name this one's worktree, or a folder of it."""
    tree = locks / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "services.toml").touch()
    for path in (tree, tree / "sub", tree / "services.toml"):
        os.chown(path, NOBODY, NOBODY)
    for number, folder in enumerate((tree, tree / "sub")):
        record = instance_record(base_port=6000 + number, config=str(folder / "services.toml"))
        records.instance_file(locks, record.base_port).write_bytes(encode(record))
    monkeypatch.chdir(tree / "sub")
    with another_user():
        assert stack_file.find_config(None) == tree / "services.toml"
        assert target.of_worktree(tree / "services.toml") == []
    assert len(target.of_worktree(tree / "services.toml")) == 1


@pytest.mark.parametrize("dead", [False, True])
def test_status_of_another_users_instance(locks: Path, dead: bool) -> None:
    """That it isn't this user's is the reason for knowing no more."""
    record = instance_record()
    if dead:
        record = record._replace(supervisor=dead_owner())
    records.instance_file(locks, 6000).write_bytes(encode(record))
    pid = record.supervisor.pid
    CliRunner().invoke(cli, ["status", "--all"])  # imports what draws tables
    line = by_nobody("status", "--all").stdout.splitlines()[-1]
    if dead:
        assert line == f"1: its supervisor (pid {pid}) is dead; root must run `portsup prune`"
    else:
        assert line == f"1: its supervisor (pid {pid}) belongs to uid 0, so that it can't be asked"


def test_root_prunes_for_all(locks: Path, port: int) -> None:
    """Whosever file it is."""
    leave(locks, port, NOBODY)
    leave(locks, port + 1)
    assert CliRunner().invoke(cli, ["prune"]).exit_code == 0
    assert files(locks) == []
