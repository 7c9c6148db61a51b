"""Spawning, and what the child finds."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import resource
import select
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from process_help import PYTHON, alive, ended, output, pid_in, settable, spec, until

from supervisor.errors import SpawnError
from supervisor.platform import os_facts
from supervisor.ports.listening import listen
from supervisor.process.child import Child, Exit
from supervisor.process.spawn import ChildSpec, spawn

Spawn = Callable[[ChildSpec], Child]

OPEN_DESCRIPTORS = """
import os
for number in range(256):
    try:
        os.fstat(number)
        print(number)
    except OSError:
        pass
"""


@pytest.fixture
def start() -> Iterator[Spawn]:
    """spawn(), with everyone ended afterwards."""
    with contextlib.ExitStack() as stack:

        def started(wanted: ChildSpec) -> Child:
            child = spawn(wanted)
            stack.callback(child.close)
            stack.callback(until, child.poll)
            stack.callback(child.signal_group, signal.SIGKILL)
            return child

        yield started


@pytest.fixture(params=[False, True], ids=["plain", "socket"])
def listening_fd(request: pytest.FixtureRequest, ports_block: int) -> Iterator[int | None]:
    """None, and then a socket to hand down: what holds of one child holds of the other."""
    listening = listen(ports_block) if request.param else None
    yield listening.fd if listening else None
    if listening:
        listening.close()


def python(code: str) -> tuple[str, ...]:
    return (*PYTHON, "-c", code)


def test_both_streams_come_through_one_pipe(start: Spawn) -> None:
    """What is printed to stdout and stderr arrives in order, and stdin is empty."""
    child = start(spec("echo one; echo two >&2; cat; echo three", shell=True))
    assert output(child) == "one\ntwo\nthree\n"
    assert ended(child) == Exit(code=0)


def test_the_descriptors_are_private_and_do_not_block(start: Spawn) -> None:
    """Neither descriptor reaches the next child, and reading an empty pipe returns at once."""
    child = start(spec(*python("input()")))
    for descriptor in (child.output_fd, child.exit_fd):
        assert fcntl.fcntl(descriptor, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    assert not os.get_blocking(child.output_fd)


def test_a_child_leads_its_session_and_group(start: Spawn) -> None:
    """Its group can be signalled without touching anybody else."""
    child = start(spec(*python("import signal; signal.pause()")))
    facts = os_facts.process(child.owner.pid)
    assert facts is not None
    assert (facts.pid, facts.sid, facts.pgid) == (child.owner.pid,) * 3
    assert facts.owner == child.owner


def test_a_child_has_its_environment_and_marker_only(start: Spawn, listening_fd: int | None) -> None:
    """The supervisor's own variables are not added behind the caller's back; with a socket comes its pid."""
    for name in ("COLUMNS", "LINES"):
        os.unsetenv(name)  # readline, which pytest imports, sets them behind Python's back
    child = start(spec("/usr/bin/env", env={"A": "1"}, unit="x-1-ab/web", listening_fd=listening_fd))
    own = [] if listening_fd is None else [f"LISTEN_PID={child.owner.pid}"]
    assert sorted(output(child).split()) == ["A=1", *own, "PORTSUP_UNIT=x-1-ab/web"]


def test_a_child_gets_the_locks_and_no_other_descriptor(
    start: Spawn, tmp_path: Path, listening_fd: int | None
) -> None:
    """The lock has the same number there, a socket is 3, and nothing else of ours is open."""
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    high = fcntl.fcntl(lock, fcntl.F_DUPFD_CLOEXEC, 70)
    try:
        child = start(spec(*python(OPEN_DESCRIPTORS), inherit=(high,), listening_fd=listening_fd))
        handed = [] if listening_fd is None else ["3"]
        assert output(child).split() == ["0", "1", "2", *handed, str(high)]
        assert fcntl.fcntl(high, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    finally:
        os.close(lock)
        os.close(high)


def test_a_child_ignores_and_blocks_no_signal(start: Spawn, listening_fd: int | None) -> None:
    """Python's own ignoring of PIPE isn't handed down."""
    wanted = spec("grep -E 'Sig(Blk|Ign)' /proc/self/status", shell=True, listening_fd=listening_fd)
    child = start(wanted)
    masks = [settable(int(line.split()[1], 16)) for line in output(child).splitlines()]
    assert masks == [0, 0]


def test_a_path_with_a_slash_is_relative_to_the_service_folder(
    start: Spawn, tmp_path: Path, listening_fd: int | None
) -> None:
    """As a shell in that folder would take it."""
    script(tmp_path / "bin" / "hello", "#!/bin/sh\necho from $PWD\n")
    child = start(spec("bin/hello", cwd=tmp_path, listening_fd=listening_fd))
    assert output(child) == f"from {tmp_path}\n"


def test_a_name_is_looked_up_in_the_childs_path(
    start: Spawn, tmp_path: Path, listening_fd: int | None
) -> None:
    """The supervisor's own PATH doesn't count, and what can't be run is passed over."""
    script(tmp_path / "hello", "#!/bin/sh\necho hello\n")
    script(tmp_path / "first" / "hello", "", 0o644)
    (tmp_path / "second" / "hello").mkdir(parents=True)
    path = f"/nowhere:{tmp_path}/first:{tmp_path}/second:{tmp_path}"
    child = start(spec("hello", env={"PATH": path}, listening_fd=listening_fd))
    assert output(child) == "hello\n"


def script(path: Path, text: str, mode: int = 0o755) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("argv", "cwd", "message", "hint"),
    [
        (("no-such-tool", "x"), ".", "cannot start no-such-tool: command not found", "PATH was {tmp}/bin"),
        (("./missing",), ".", "cannot start ./missing: no such file in {tmp}", ""),
        (("/nowhere/missing",), ".", "cannot start /nowhere/missing: no such file", ""),
        (("tool",), "gone", "cannot start tool: its folder {tmp}/gone does not exist", "services.toml"),
        (("tool",), "file", "cannot start tool: {tmp}/file is not a folder", "services.toml"),
        (("./plain",), ".", "cannot start ./plain: {tmp}/plain is not executable", "chmod +x {tmp}/plain"),
        (("./bin",), ".", "cannot start ./bin: {tmp}/bin is a folder", ""),
        (("./lost",), ".", "cannot start ./lost: {tmp}/lost needs an interpreter", "#!"),
        (("./noise",), ".", "cannot start ./noise: not a program", "#!"),
        (("tool", "a\0b"), ".", "cannot start tool: its command or environment holds characters", ""),
        (("tool", "x" * 3_000_000), ".", "cannot start tool: its command line and environment are too", ""),
    ],
)
def test_a_command_that_cannot_start(
    argv: tuple[str, ...], cwd: str, message: str, hint: str, tmp_path: Path, listening_fd: int | None
) -> None:
    """The error tells what is wrong, and what to do where that is known."""
    script(tmp_path / "bin" / "tool", "#!/bin/sh\n")
    script(tmp_path / "plain", "#!/bin/sh\n", 0o644)
    script(tmp_path / "lost", "#!/no/such/interpreter\n")
    script(tmp_path / "noise", "\x7fnothing\n")
    script(tmp_path / "file", "")
    before = descriptors()
    env = {"PATH": f"{tmp_path}/bin", "TOKEN": "geheim"}
    with pytest.raises(SpawnError) as caught:
        spawn(spec(*argv, cwd=tmp_path / cwd, env=env, listening_fd=listening_fd))
    assert caught.value.message.startswith(message.format(tmp=tmp_path))
    assert hint.format(tmp=tmp_path) in (caught.value.hint or "")
    assert "geheim" not in f"{caught.value.to_json()}"
    assert descriptors() == before


@pytest.mark.parametrize(
    ("path", "message", "hint"),
    [
        ("missing", "no such file in {tmp}", ""),
        ("plain", "${{env:T}}/x is not executable", "chmod +x ${{env:T}}/x"),
        ("folder", "${{env:T}}/x is a folder", ""),
        ("lost", "${{env:T}}/x needs an interpreter that does not exist", ""),
    ],
)
def test_a_programs_name_is_told_as_it_is_written(path: str, message: str, hint: str, tmp_path: Path) -> None:
    """Filled in, it may hold a secret."""
    for name in ("plain", "folder", "lost"):
        (tmp_path / f"geheim-{name}").mkdir()
    script(tmp_path / "geheim-plain" / "x", "#!/bin/sh\n", 0o644)
    (tmp_path / "geheim-folder" / "x").mkdir()
    script(tmp_path / "geheim-lost" / "x", "#!/no/such/interpreter\n")
    wanted = spec(f"geheim-{path}/x", cwd=tmp_path)._replace(program="${env:T}/x")
    with pytest.raises(SpawnError) as caught:
        spawn(wanted)
    assert caught.value.message == f"cannot start ${{env:T}}/x: {message.format(tmp=tmp_path)}"
    assert hint.format() in (caught.value.hint or "")
    assert "geheim" not in f"{caught.value.to_json()}"


def descriptors() -> list[str]:
    return sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208 - numbers, not paths


@pytest.fixture
def scarce() -> Iterator[list[int]]:
    """No descriptor is left; closing one of the list makes room."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    fillers: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, descriptors())) + 20, hard))
    try:
        with contextlib.suppress(OSError):
            while True:
                fillers.append(os.open(os.devnull, os.O_RDONLY))
        yield fillers
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in fillers:
            os.close(descriptor)


def test_descriptors_run_out_at_any_point(scarce: list[int]) -> None:
    """However few are left: a clear error without a leak or a child, or a child."""
    failures = 0
    for _ in range(12):
        try:
            child = spawn(spec("/bin/true"))
        except SpawnError as error:
            assert "no file descriptors are left" in error.message
            assert error.hint is not None
            failures += 1
            os.close(scarce.pop())
            continue
        assert ended(child).ok
        child.close()
        break
    assert 2 <= failures < 12
    left = len(scarce)
    with contextlib.suppress(OSError):
        while True:
            scarce.append(os.open(os.devnull, os.O_RDONLY))
    assert len(scarce) - left == failures


def test_a_child_that_cannot_be_watched_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error after the fork leaves neither descriptor nor process, also none that the child forked."""

    def refuse(_: object, pid: int) -> int:
        pid_in(tmp_path / "forked")
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(type(os_facts), "open_exit_fd", refuse)
    before = descriptors()
    forks = f"sleep 600 & echo $! > {tmp_path}/new; mv {tmp_path}/new {tmp_path}/forked; wait"
    with pytest.raises(SpawnError, match="no file descriptors"):
        spawn(spec(forks, shell=True))
    assert descriptors() == before
    until(lambda: not alive(pid_in(tmp_path / "forked")))


def test_an_exit_makes_its_descriptor_readable(start: Spawn) -> None:
    """And poll gives the same answer ever after."""
    child = start(spec("sleep 600", shell=True))
    assert child.poll() is None
    assert select.select([child.exit_fd], [], [], 0)[0] == []
    assert child.signal_group(signal.SIGTERM)
    assert select.select([child.exit_fd], [], [], 10)[0] == [child.exit_fd]
    assert [child.poll(), child.poll()] == [Exit(signal=15), Exit(signal=15)]


def test_a_group_is_signalled_until_its_leader_is_reaped(start: Spawn) -> None:
    """A zombie leader keeps the number; afterwards it may be anybody's."""
    child = start(spec("exit 3", shell=True))
    assert select.select([child.exit_fd], [], [], 10)[0]
    assert child.signal_group(signal.SIGTERM)
    assert child.poll() == Exit(code=3)
    assert not child.signal_group(signal.SIGTERM)


def test_a_status_that_somebody_else_took_is_unknown(start: Spawn) -> None:
    """It isn't taken for success."""
    child = start(spec("exit 0", shell=True))
    os.waitpid(child.pid, 0)
    assert child.poll() == Exit()
    assert child.reaped


def test_closing_twice_closes_nothing_else() -> None:
    """The numbers may belong to somebody else by then."""
    child = spawn(spec("/bin/true"))
    ended(child)
    child.close()
    with subprocess.Popen(["/bin/true"], stdout=subprocess.PIPE) as other:
        child.close()
        assert other.stdout is not None
        assert other.stdout.read() == b""


def test_one_that_cannot_be_supervised_is_ended(tmp_path: Path) -> None:
    """With what it has started in its group, and its descriptors."""
    child = spawn(spec("sh", "-c", "sleep 600 & echo $! >new; mv new pid; wait", cwd=tmp_path))
    sleeper = pid_in(tmp_path / "pid")
    child.discard()
    assert child.reaped and (child.exit_fd, child.output_fd) == (-1, -1)
    until(lambda: not alive(sleeper))
