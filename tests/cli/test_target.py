"""Which services.toml and which instance is meant, with real records in a lock folder."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from claims import NOBODY, another_user, instance_record, needs_root, public_folder

from supervisor import records
from supervisor.cli import stack_file, target
from supervisor.config import load
from supervisor.errors import ConfigError, NotRunning, UsageError
from supervisor.platform import Owner, os_facts
from supervisor.records import InstanceRecord

Register = Callable[..., InstanceRecord]


@pytest.fixture
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "locks"
    folder.mkdir()
    monkeypatch.setenv("PORTSUP_LOCK_DIR", str(folder))
    return folder


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty services.toml in a folder that is the current one."""
    worktree = tmp_path / "tree"
    worktree.mkdir()
    monkeypatch.chdir(worktree)
    (worktree / "services.toml").touch()
    return worktree / "services.toml"


@pytest.fixture
def register(locks: Path) -> Register:
    """Writes the record of an instance whose supervisor is this process, or a dead one."""

    def write(config: Path, instance: int, *, dead: bool = False) -> InstanceRecord:
        owner = os_facts.owner(os.getpid())
        assert owner is not None
        record = InstanceRecord(
            stack="qwen",
            config=str(config),
            instance=instance,
            instance_id=f"qwen-{instance}-{config.parent.name}",
            supervisor=Owner(owner.pid, owner.started - 1) if dead else owner,
            uid=os.getuid(),
            boot_id=os_facts.boot_id(),
            pidns=os_facts.pid_namespace(),
            netns=os_facts.net_namespace(),
            acquired_at=0.0,
            base_port=5900 + 100 * instance + sum(config.parent.name.encode()),
            socket=str(locks / "none.sock"),
            logs=str(locks),
        )
        records.instance_file(locks, record.base_port).write_bytes(records.encode(record))
        return record

    return write


def test_the_nearest_file_is_found(config: Path, locks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a folder below, the same path that the loader gives."""
    below = config.parent / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert stack_file.find_config(None) == config


def test_file_name_is_the_loader_s() -> None:
    """Known here without importing the loader."""
    assert stack_file.FILE_NAME == load.FILE_NAME


def test_a_named_file_may_be_a_folder_or_relative(config: Path, locks: Path) -> None:
    """Always one absolute path, whichever way it was written."""
    (config.parent / "sub").mkdir()
    for named in (config, config.parent, Path(), Path("services.toml"), Path("sub/../services.toml")):
        assert stack_file.find_config(named) == config


def test_worktrees_that_share_a_file_by_a_link_are_two(config: Path, locks: Path) -> None:
    """The link itself names the worktree."""
    other = config.parent / "other"
    other.mkdir()
    (other / "services.toml").symlink_to(config)
    assert stack_file.find_config(other) == other / "services.toml"


@pytest.mark.parametrize("named", [None, Path("missing.toml")])
def test_no_file_is_a_config_error(
    named: Path | None, locks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a way out."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as error:
        stack_file.find_config(named)
    assert error.value.hint


def test_who_has_no_file_is_shown_one(locks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the error shows is a services.toml that the loader takes."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as error:
        stack_file.find_config(None)
    shown = [line.strip() for line in error.value.details if line.startswith("  ")]
    assert len(shown) == 3
    (tmp_path / "services.toml").write_text("\n".join(shown))
    assert [service.name for service in load.load(stack_file.find_config(None)).services] == ["web"]


def test_a_deleted_file_of_a_running_instance_is_still_found(config: Path, register: Register) -> None:
    """By its record, from the worktree and from below it, and by name."""
    record = register(config, 1)
    config.unlink()
    assert stack_file.find_config(None) == config
    assert stack_file.find_config(config) == config
    assert target.running(config, None) == record


def test_a_worktree_inside_another_is_not_taken_for_the_outer(
    config: Path, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the inner services.toml is gone, `down` must not stop the outer instance."""
    inner = config.parent / "inner"
    inner.mkdir()
    monkeypatch.chdir(inner)
    register(config, 1)
    register(inner / "services.toml", 2)
    assert stack_file.find_config(None) == inner / "services.toml"


def test_the_only_running_instance_is_meant(config: Path, register: Register) -> None:
    """Dead ones and those of other worktrees don't count."""
    register(config, 1, dead=True)
    register(config.parent / "other" / "services.toml", 3)
    record = register(config, 2)
    assert target.running(config, None) == record


def test_several_are_listed(config: Path, register: Register) -> None:
    """With what tells them apart, and how to name one."""
    register(config, 1)
    second = register(config, 2)
    with pytest.raises(UsageError) as error:
        target.running(config, None)
    assert len(error.value.details) == 2
    assert error.value.details[0].startswith(f"instance 1: unreachable, pid {os.getpid()}, since 19")
    assert "-i 1" in str(error.value.hint)
    assert target.running(config, 2) == second


def test_none_is_not_running(config: Path, register: Register) -> None:
    """The hint starts one."""
    with pytest.raises(NotRunning) as error:
        target.running(config, None)
    assert "portsup up" in str(error.value.hint)


@pytest.mark.parametrize("number", [None, 7])
def test_whoever_stops_is_not_told_to_start(number: int | None, config: Path, locks: Path) -> None:
    """`down` asks for that."""
    with pytest.raises(NotRunning) as error:
        target.running(config, number, offer_up=False)
    assert "portsup up" not in str(error.value.hint)


def test_the_named_one_is_not_running(config: Path, register: Register) -> None:
    """Those that are up are listed."""
    register(config, 1)
    with pytest.raises(NotRunning) as error:
        target.running(config, 2)
    assert [line.split(":")[0] for line in error.value.details] == ["instance 1"]
    assert "portsup up -i 2" in str(error.value.hint)


def test_a_dead_supervisor_is_prune_s_job(config: Path, register: Register) -> None:
    """Said at once, instead of waiting for an answer."""
    register(config, 1, dead=True)
    for number in (None, 1):
        with pytest.raises(NotRunning, match="is dead") as error:
            target.running(config, number)
        assert "portsup prune" in str(error.value.hint)


def test_foreign_files_in_the_folder_are_passed_over(config: Path, register: Register, locks: Path) -> None:
    """Garbage, and records of another schema, are nobody's instances."""
    record = register(config, 1)
    (locks / "instance-1.lock.json").write_bytes(b"\xff{")
    (locks / "instance-2.lock.json").write_bytes(
        records.encode(record).replace(b'"schema": 1', b'"schema": 9')
    )
    assert target.of_worktree(config) == [record]


@pytest.mark.parametrize("folder", ["a" * 300, "locks/file"])
def test_a_folder_that_cannot_be_looked_into(
    register: Register, config: Path, locks: Path, folder: str
) -> None:
    """What another instance's record names is no reason to fail for this worktree."""
    (locks / "file").touch()
    register(locks.parent / folder / "services.toml", 1)
    assert stack_file.find_config(None) == config


@needs_root
def test_another_users_private_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """An instance that runs there doesn't keep anybody else from using portsup."""
    with public_folder() as folder:
        monkeypatch.setenv("PORTSUP_LOCK_DIR", str(folder))
        private = folder / "private"
        (private / "tree").mkdir(parents=True)
        private.chmod(0o700)
        own = folder / "services.toml"
        own.touch()
        record = instance_record(config=str(private / "tree/services.toml"))
        records.instance_file(folder, record.base_port).write_bytes(records.encode(record))
        monkeypatch.chdir(folder)
        with another_user():
            assert stack_file.find_config(None) == own


@needs_root
@pytest.mark.parametrize("there", [True, False])
def test_nobody_speaks_for_anothers_worktree(config: Path, register: Register, there: bool) -> None:
    """Anybody may write any path into a record of theirs: it counts where they own services.toml."""
    record = register(config, 1)
    path = records.instance_file(Path(record.logs), record.base_port)
    path.write_bytes(records.encode(record._replace(uid=NOBODY)))
    os.chown(path, NOBODY, NOBODY)
    if not there:
        config.unlink()
        with pytest.raises(ConfigError):
            stack_file.find_config(None)
    assert target.of_worktree(config) == []
    with pytest.raises(NotRunning):
        target.running(config, None)
    os.chown(config if there else config.parent, NOBODY, NOBODY)
    assert [found.uid for found in target.of_worktree(config)] == [NOBODY]
    assert stack_file.find_config(None) == config


def test_a_current_folder_that_is_gone(locks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after `git worktree remove` in it."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(ConfigError, match="does not exist any more"):
        stack_file.find_config(None)


def test_a_loop_of_links(locks: Path, tmp_path: Path) -> None:
    """There is no such file, whatever the way there looks like."""
    (tmp_path / "a").symlink_to("a")
    with pytest.raises(ConfigError, match="there is no"):
        stack_file.find_config(tmp_path / "a/services.toml")
