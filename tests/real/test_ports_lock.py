"""One lock file: taken by one, told to the others, given back without a trace."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from claims import (
    NOBODY,
    another_user,
    dead_owner,
    files,
    needs_root,
    open_descriptors,
    port_record,
    public_folder,
)
from filelock import FileLock, Timeout
from harness import wait_until

from supervisor import records
from supervisor.errors import PortsupError
from supervisor.platform import os_facts
from supervisor.platform.contract import Owner
from supervisor.ports.lock import INHERITED_FD_MIN, Busy, HeldLock, take
from supervisor.records import encode


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "locks"
    folder.mkdir()
    return folder / "port-6000.lock.json"


@contextmanager
def held(path: Path) -> Iterator[HeldLock]:
    lock = take(path)
    assert isinstance(lock, HeldLock)
    try:
        yield lock
    finally:
        lock.give_back()


def busy(path: Path) -> Busy:
    found = take(path)
    assert isinstance(found, Busy)
    return found


def test_one_holds_it(path: Path) -> None:
    """Not committed before the record is there, held afterwards, gone when given back."""
    record = port_record(6000)
    with held(path) as lock:
        assert not busy(path).committed
        lock.write(record)
        other = busy(path)
        assert (other.record, other.committed, other.reason) == (record, True, "held")
        assert other.identity == busy(path).identity
    assert not path.exists()
    lock.give_back()


def test_the_descriptor(path: Path) -> None:
    """Out of a child's way, not inherited unless asked, and readable for all users."""
    before = os.umask(0o077)
    try:
        with held(path) as lock:
            assert lock.fd >= INHERITED_FD_MIN and not os.get_inheritable(lock.fd)
            assert stat.S_IMODE(path.stat().st_mode) == 0o644
    finally:
        os.umask(before)


def test_descriptors_are_not_leaked(path: Path) -> None:
    """Neither by taking, nor by failing to."""
    before = open_descriptors()
    with held(path):
        for _ in range(10):
            busy(path)
    assert open_descriptors() == before


def test_a_record_may_be_rewritten(path: Path) -> None:
    """A shorter one leaves nothing of the longer one behind."""
    with held(path) as lock:
        lock.write(port_record(6000, stack="a" * 500))
        lock.write(short := port_record(6000))
        assert records.read(path) == short
        assert lock.intact() is None


def test_closing_is_not_giving_back(path: Path) -> None:
    """Only this descriptor goes: whoever inherited it holds on."""
    with held(path) as lock:
        lock.write(port_record(6000))
        inherited = os.dup(lock.fd)
        lock.close()
        assert busy(path).reason == "held"
        os.close(inherited)
    assert path.exists()


def delete(path: Path) -> None:
    path.unlink()


def replace(path: Path) -> None:
    copy = path.with_suffix(".new")
    copy.write_bytes(path.read_bytes())
    copy.rename(path)


def turn_into_a_link(path: Path) -> None:
    moved = path.rename(path.with_suffix(".moved"))
    path.symlink_to(moved)


def truncate(path: Path) -> None:
    path.write_bytes(b"")


def fill_with_garbage(path: Path) -> None:
    path.write_bytes(b"\0garbage" * 100)


def change_in_place(path: Path) -> None:
    path.write_bytes(encode(port_record(6000, stack="tset")))


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (delete, "deleted"),
        (replace, "replaced"),
        (turn_into_a_link, "replaced"),
        (truncate, "overwritten"),
        (fill_with_garbage, "overwritten"),
        (change_in_place, "overwritten"),
    ],
)
def test_damage_is_seen(path: Path, damage: object, problem: str) -> None:
    """Whatever is done to the file, a look says what; giving back harms nobody else's."""
    assert callable(damage)
    with held(path) as lock:
        lock.write(port_record(6000))
        assert lock.intact() is None
        damage(path)
        assert problem in str(lock.intact())
        lock.give_back()
        assert path.is_symlink() or path.exists() is (problem == "replaced")


def test_a_touched_file_is_intact(path: Path) -> None:
    """The same content written again is no damage."""
    with held(path) as lock:
        lock.write(port_record(6000))
        os.utime(path, (1, 1))
        path.write_bytes(path.read_bytes())
        assert lock.intact() is None


def test_a_hidden_record_is_shown_again(path: Path) -> None:
    """Whoever changed the mode took it from its readers, not from us."""
    with held(path) as lock:
        lock.write(port_record(6000))
        path.chmod(0)
        assert lock.intact() is None
        assert stat.S_IMODE(path.stat().st_mode) == 0o644


@pytest.mark.parametrize("damage", [truncate, fill_with_garbage, change_in_place])
def test_a_damaged_file_is_held_all_the_same(path: Path, damage: object) -> None:
    """The lock counts, not the text."""
    assert callable(damage)
    with held(path) as lock:
        lock.write(port_record(6000))
        damage(path)
        assert busy(path).reason == "held"


@pytest.mark.parametrize("garbage", [b"", b"{", b"\xff" * 70000, b'{"schema": 1}'])
def test_free_garbage_is_taken_over(path: Path, garbage: bytes) -> None:
    """Nobody stands behind it; what stood there doesn't stay."""
    path.write_bytes(garbage)
    with held(path):
        assert path.read_bytes() == b""


def test_a_stale_record_is_taken_over(path: Path) -> None:
    """A supervisor that is dead, and nobody of its instance alive."""
    path.write_bytes(encode(port_record(6000, supervisor=dead_owner(), instance_id="dead-1")))
    with held(path):
        pass


def test_a_recycled_pid_is_no_supervisor(path: Path) -> None:
    """The pid lives, but began at another time."""
    record = port_record(6000, instance_id="dead-2")
    recycled = Owner(record.supervisor.pid, record.supervisor.started - 1)
    path.write_bytes(encode(port_record(6000, supervisor=recycled, instance_id="dead-2")))
    with held(path):
        pass


def test_the_boot_before(path: Path) -> None:
    """Nobody outlives a boot, whatever the pid says."""
    path.write_bytes(encode(port_record(6000, boot_id="another boot")))
    with held(path):
        pass


def test_another_pid_namespace(path: Path) -> None:
    """A holder that can't be seen isn't dead."""
    path.write_bytes(encode(port_record(6000, pidns="pid:[1]", supervisor=dead_owner())))
    found = busy(path)
    assert (found.reason, found.committed) == ("other-namespace", True)


def test_a_live_supervisor_counts_without_a_lock(path: Path) -> None:
    """A copy of its record put in its file's place is no invitation."""
    path.write_bytes(encode(port_record(6000)))
    assert busy(path).reason == "held"


@pytest.mark.parametrize("what", ["link", "hard link", "folder", "pipe"])
def test_what_is_no_file_is_left_alone(path: Path, what: str) -> None:
    """Planted there by somebody: taken, never followed, never waited for, never emptied."""
    victim = path.parent.parent / "victim"
    victim.write_text("precious")
    if what == "link":
        path.symlink_to(victim)
    elif what == "hard link":
        path.hardlink_to(victim)
    elif what == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    assert busy(path).reason == "unusable"
    assert files(path.parent) == [path.name] and victim.read_text() == "precious"


@needs_root
def test_another_users_pipe_is_no_file() -> None:
    """Nor is one that may only be read: the next port is tried, nothing fails."""
    with public_folder() as folder:
        path = folder / "port-6000.lock.json"
        os.mkfifo(path)
        path.chmod(0o644)
        with another_user():
            assert busy(path).reason == "unusable"


def test_a_full_disk(path: Path) -> None:
    """The write fails with the reason, the lock stays, and giving it back leaves nothing."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with held(path) as lock:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
        try:
            with pytest.raises(PortsupError, match=os.strerror(errno.EFBIG)):
                lock.write(port_record(6000))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        assert busy(path).committed is False
    assert not path.exists()


@pytest.mark.parametrize("limit", [30, INHERITED_FD_MIN])
def test_no_descriptors_left(path: Path, limit: int) -> None:
    """The error says so and how to raise the limit; no descriptor stays open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = open_descriptors()
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    try:
        with pytest.raises(PortsupError, match="Too many open files") as caught:
            take(path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert "ulimit -n" in str(caught.value.hint)
    assert open_descriptors() == before
    assert not path.exists(), "an empty file of ours is a holder to other users"


def test_a_folder_that_went_away(tmp_path: Path) -> None:
    """Taking says so; giving back is quiet."""
    (tmp_path / "locks").mkdir()
    path = tmp_path / "locks" / "port-6000.lock.json"
    with held(path) as lock:
        path.unlink()
        path.parent.rmdir()
        assert lock.intact() == "the lock file was deleted"
    with pytest.raises(PortsupError, match="cannot claim"):
        take(path)


def test_a_file_unlinked_while_it_is_opened(path: Path) -> None:
    """Whoever got hold of an unlinked file opens the path again: never two holders, never none."""
    ready, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(told, b"x")
            for _ in range(3000):
                lock = take(path)
                if isinstance(lock, HeldLock):
                    lock.give_back()
        finally:
            os._exit(0)
    os.close(told)
    os.read(ready, 1)
    os.close(ready)
    won = 0

    def once() -> bool:
        nonlocal won
        lock = take(path)
        if isinstance(lock, HeldLock):
            won += 1
            assert lock.intact() is None
            second = take(path)
            assert isinstance(second, Busy)
            lock.give_back()
        return os.waitpid(pid, os.WNOHANG) != (0, 0)

    while not once():
        pass
    assert won
    assert not path.exists()


@needs_root
class TestOtherUsers:
    """Root's files seen by nobody, and nobody's by root."""

    @pytest.fixture
    def path(self) -> Iterator[Path]:
        """In a folder that both can reach."""
        with public_folder() as folder:
            yield folder / "port-6000.lock.json"

    def test_held(self, path: Path) -> None:
        """Locked by root: taken, with the record that says by whom."""
        with held(path) as lock:
            lock.write(port_record(6000))
            with another_user():
                found = busy(path)
            assert (found.reason, found.committed) == ("held", True)
            assert found.record is not None and found.record.uid == 0

    def test_stale(self, path: Path) -> None:
        """Free, but not ours to remove: taken, and somebody else must prune."""
        path.write_bytes(encode(port_record(6000, supervisor=dead_owner())))
        with another_user():
            found = busy(path)
        assert (found.reason, found.committed) == ("other-user", True)

    def test_unreadable(self, path: Path) -> None:
        """A file that can't even be opened is taken."""
        path.write_bytes(b"")
        path.chmod(0o600)
        with another_user():
            assert busy(path).reason == "other-user"

    def test_root_takes_over_with_a_file_of_its_own(self, path: Path) -> None:
        """A stale file of another user is replaced, so that its owner can't meddle with the lock."""
        path.write_bytes(encode(port_record(6000, supervisor=dead_owner())))
        os.chown(path, NOBODY, NOBODY)
        with held(path) as lock:
            assert path.stat().st_uid == 0
            assert lock.intact() is None

    def test_root_respects_a_users_lock(self, path: Path) -> None:
        """Being allowed to open it for writing changes nothing."""
        with another_user():
            lock = take(path)
            assert isinstance(lock, HeldLock)
            lock.write(port_record(6000))
        found = busy(path)
        assert (found.reason, path.stat().st_uid) == ("held", NOBODY)
        lock.give_back()


def test_looking_takes_nobody_for_a_holder(path: Path) -> None:
    """Two who look at once don't see each other; a holder is seen by both."""
    from supervisor.ports.lock import is_locked

    path.write_bytes(b"")
    first, second, third = (os.open(path, os.O_RDONLY) for _ in range(3))
    try:
        assert not is_locked(first) and not is_locked(second)
        os.close(first)
        os.close(second)
        with held(path):
            assert is_locked(third)
        fcntl.flock(third, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(third)


def test_a_look_keeps_nobody_from_the_lock(path: Path) -> None:
    """Not even while the file that was looked at is still open."""
    from supervisor.ports.lock import is_locked, remove_free

    path.write_bytes(encode(port_record(6000, supervisor=dead_owner())))
    looking = os.open(path, os.O_RDONLY)
    try:
        assert not is_locked(looking)
        assert remove_free(path, lambda _: True)
    finally:
        os.close(looking)


def test_no_lock_of_a_test_stays() -> None:
    """The kernel's own list: this process has no regular file locked when all is given back."""
    wait_until(lambda: not os_facts.locked_files(os.getpid()), 5, "the locks to go")


def test_the_lock_is_that_of_other_programs(path: Path) -> None:
    """A script that waits with filelock (or flock(1)) and portsup keep each other out."""
    with held(path), pytest.raises(Timeout):
        FileLock(path).acquire(blocking=False)
    with FileLock(path):
        assert busy(path).reason == "held"
