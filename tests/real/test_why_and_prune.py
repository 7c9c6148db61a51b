"""Whatever may have a port: what `why` says of it, and what `prune` does about it, as they are typed."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from claims import claimers, dead_owner, port_record
from harness import COMMAND, Home, Portsup, foreigner

from supervisor.platform import Owner, os_facts
from supervisor.ports.lock import HeldLock, take
from supervisor.ports.report import Holding
from supervisor.records import encode, port_file

pytestmark = pytest.mark.slow

DEAD = r"test instance 1 \(api\) in /work/test"
WHY_KEYS = {
    "schema",
    "port",
    "holding",
    "record",
    "listeners",
    "survivors",
    "file",
    "file_uid",
    "line",
    "hint",
}
WHY_KEYS |= {"pools", "locked"}
LISTENER_KEYS = {"address", "owner", "uid", "command", "of_holder", "unit"}
LEFTOVER_KEYS = {"kind", "instance_id", "instance", "service", "why", "uid", "path", "owner", "command"}
LEFTOVER_KEYS |= {"kept", "hint", "gone", "failed"}


@dataclass
class Told:
    """What is to be told of one situation, and what is to become of it."""

    holding: str
    line: str
    """A pattern for what follows the port in the first line, as are `further` and `hint` for theirs."""
    further: Sequence[str] = ()
    hint: str | None = None
    pruned: Sequence[str] = ()
    """A pattern for each line of a dry run, without the instances' names."""
    done: Sequence[str] = ()
    """For each line of the real one."""
    code: int = 0
    file: bool | None = None
    """Whether there is a lock file after it; None if there was none before."""
    live: Sequence[Owner] = field(default=())
    """Processes that no `prune` may end."""
    ended: Sequence[Owner] = field(default=())


@dataclass
class Scene:
    """Where a situation is made."""

    folder: Path
    port: int
    opened: ExitStack

    @property
    def file(self) -> Path:
        return port_file(self.folder, self.port)

    def leave(self, **fields: Any) -> None:
        """A record whose supervisor is dead, unless `fields` differ."""
        told = {"supervisor": dead_owner(), "instance_id": f"dead-{self.port}", **fields}
        self.file.write_bytes(encode(port_record(self.port, **told)))

    def sleeper(self, **options: Any) -> Owner:
        """A process of this test's own."""
        process = subprocess.Popen(["sleep", "120"], **options)
        self.opened.callback(process.wait)
        self.opened.callback(process.kill)
        return owner(process.pid)

    def listener(self, *hosts: str, env: Mapping[str, str] | None = None) -> Owner:
        return owner(self.opened.enter_context(foreigner(self.port, *hosts, env=env)).pid)

    def instance(self, how: str | None = None) -> tuple[Owner, Callable[[], None], Owner | None]:
        """A supervisor that holds the port, how to kill it, and the child that it spawned."""
        (claimer,) = self.opened.enter_context(claimers(self.folder, [{"api": [self.port]}]))
        assert claimer.ask("claim") == [self.port]
        child = owner(claimer.ask(f"spawn {how}")) if how else None
        if child:
            self.opened.callback(os_facts.send_signal, child, signal.SIGKILL)
        return owner(claimer.process.pid), claimer.kill, child

    def orphan(self, how: str) -> Owner:
        """The child of a killed supervisor."""
        _, kill, child = self.instance(how)
        kill()
        assert child is not None
        return child


def owner(pid: int) -> Owner:
    found = os_facts.owner(pid)
    assert found is not None
    return found


def free(scene: Scene) -> Told:
    return Told("free", "free")


def garbage(scene: Scene) -> Told:
    scene.file.write_bytes(b"{garbage")
    path = re.escape(str(scene.file))
    return Told("free", "free", pruned=[f"to be removed: {path}"], done=[f"removed: {path}"], file=False)


def no_file(scene: Scene) -> Told:
    scene.file.mkdir()
    what = "what lies at its lock file's path is no file"
    return Told("unusable", what, hint=f"hint: remove {re.escape(str(scene.file))}", file=True)


def held(scene: Scene) -> Told:
    supervisor, _, child = scene.instance("keep")
    assert child
    line = f"{DEAD}, pid {supervisor.pid}, for [0-9]+ s"
    hint = "to free it: run `portsup down -i 1` in /work/test"
    return Told("held", line, hint=hint, file=True, live=[supervisor, child])


def held_and_listened_on(scene: Scene) -> Told:
    """As after somebody else got onto a port of a live instance."""
    supervisor, _, child = scene.instance("keep")
    assert child
    stranger = scene.listener("127.0.0.1", "::1")
    return Told(
        "held",
        f"{DEAD}, pid {supervisor.pid}, for [0-9]+ s",
        [
            rf"listening: pid {stranger.pid} \(.*\) on 127.0.0.1, which is not of that instance",
            rf"listening: pid {stranger.pid} \(.*\) on ::1, which is not of that instance",
        ],
        rf"hint: if pid {stranger.pid} should not be there, end it yourself \(`kill {stranger.pid}`\), .*",
        file=True,
        live=[supervisor, child, stranger],
    )


def claiming(scene: Scene) -> Told:
    lock = take(scene.file)
    assert isinstance(lock, HeldLock)
    scene.opened.callback(lock.close)
    line = "being claimed by another portsup at this moment"
    return Told("claiming", line, hint="hint: try again", file=True)


def taking_over(scene: Scene) -> Told:
    """The dead one's record still stands there."""
    scene.leave()
    lock = take(scene.file)
    assert isinstance(lock, HeldLock)
    scene.opened.callback(lock.close)
    scene.leave()
    return Told(
        "claiming", "being claimed by another portsup at this moment", hint="hint: try again", file=True
    )


def elsewhere(scene: Scene) -> Told:
    scene.leave(pidns="pid:[1]")
    line = f"{DEAD}, pid [0-9]+ of another pid namespace, for [0-9]+ s"
    hint = f"to free it: if its pid namespace is gone for good, remove {re.escape(str(scene.file))}"
    return Told("held", line, hint=hint, file=True)


STALE = rf"stale lock of {DEAD} \(uid {os.getuid()}\): nobody lives there"


def _stale(scene: Scene, live: Sequence[Owner] = ()) -> Told:
    path = re.escape(str(scene.file))
    return Told(
        "stale",
        STALE,
        hint="hint: run `portsup prune`",
        pruned=[f"to be removed: {path}, api"],
        done=[f"removed: {path}, api"],
        file=False,
        live=live,
    )


def stale(scene: Scene) -> Told:
    scene.leave()
    return _stale(scene)


def rebooted(scene: Scene) -> Told:
    """Whoever has the pids of then is somebody else."""
    stranger = scene.sleeper(start_new_session=True)
    scene.leave(boot_id="another", supervisor=stranger, child=stranger)
    return _stale(scene, live=[stranger])


def recycled_supervisor(scene: Scene) -> Told:
    stranger = scene.sleeper()
    scene.leave(supervisor=Owner(stranger.pid, stranger.started - 1))
    return _stale(scene, live=[stranger])


def recycled_child(scene: Scene) -> Told:
    """An unrelated process that leads no session."""
    stranger = scene.sleeper()
    scene.leave(child=Owner(stranger.pid, stranger.started - 1))
    return _stale(scene, live=[stranger])


def recycled_leader(scene: Scene) -> Told:
    """An unrelated process that leads a session of its own, with a member."""
    process, member = scene.opened.enter_context(session_of_two())
    leader = owner(process.pid)
    scene.leave(child=Owner(leader.pid, leader.started - 1))
    return _stale(scene, live=[leader, member])


def recycled_all(scene: Scene) -> Told:
    """Supervisor and child are one stranger's pid now."""
    process, member = scene.opened.enter_context(session_of_two())
    leader = owner(process.pid)
    recycled = Owner(leader.pid, leader.started - 1)
    scene.leave(supervisor=recycled, child=recycled)
    return _stale(scene, live=[leader, member])


@contextlib.contextmanager
def session_of_two() -> Iterator[tuple[subprocess.Popen[str], Owner]]:
    """A process that leads a session, and its child."""
    code = "import os, subprocess, sys; print(subprocess.Popen(['sleep', '120']).pid, flush=True); input()"
    command = [sys.executable, "-I", "-S", "-c", code]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as leader:
        assert leader.stdout is not None
        member = owner(int(leader.stdout.readline()))
        try:
            yield leader, member
        finally:
            leader.kill()
            os_facts.send_signal(member, signal.SIGKILL)


def _leftover(scene: Scene, survivor: Owner, why: str) -> Told:
    pid, path = survivor.pid, re.escape(str(scene.file))
    return Told(
        "leftover",
        f"left over from {DEAD}: its supervisor is dead, pid {pid} of its instance lives",
        [rf"lives: pid {pid} \(.+\)"],
        "hint: run `portsup prune`",
        [rf"to be ended: pid {pid} \(.+\), api: {why}", f"to be removed: {path}, api"],
        [rf"ended: pid {pid} \(.+\), api: {why}", f"removed: {path}, api"],
        file=False,
        ended=[survivor],
    )


def leftover_with_the_lock(scene: Scene) -> Told:
    return _leftover(scene, scene.orphan("bare"), "holds its lock")


def leftover_with_all(scene: Scene) -> Told:
    return _leftover(scene, scene.orphan("keep"), "carries its marker")


def leftover_by_marker(scene: Scene) -> Told:
    survivor = scene.sleeper(env={**os.environ, "PORTSUP_UNIT": f"dead-{scene.port}/api"})
    scene.leave()
    return _leftover(scene, survivor, "carries its marker")


def leftover_by_session(scene: Scene) -> Told:
    survivor = scene.sleeper(start_new_session=True)
    scene.leave(child=survivor)
    return _leftover(scene, survivor, f"in the session of its pid {survivor.pid}")


def leftover_unproven(scene: Scene) -> Told:
    """Nothing proves who started whoever is left in a session whose first process is gone."""
    leader, member = scene.opened.enter_context(session_of_two())
    scene.leave(child=owner(leader.pid))
    leader.kill()
    leader.wait()
    told = _leftover(scene, member, "")
    session = rf"in the session of its pid {leader.pid}: .*; if it is yours, `kill {member.pid}`"
    told.pruned = told.done = [
        rf"left alone: pid {member.pid} \(sleep 120\), api: {session}",
        f"left alone: {re.escape(str(scene.file))}, api: processes of its instance live; .* again",
    ]
    told.code, told.file, told.live, told.ended = 1, True, [member], []
    return told


def foreign(scene: Scene) -> Told:
    stranger = scene.listener()
    line = rf"not portsup's: pid {stranger.pid} \(.+\) on 127.0.0.1"
    hint = rf"hint: end it yourself \(`kill {stranger.pid}`\), for portsup won't, or give the pool more ports"
    return Told("foreign", line, hint=hint, live=[stranger])


def listens_merely(scene: Scene) -> Told:
    """It may be a leftover that lost lock, marker and session: that can't be told."""
    told = foreign(scene)
    scene.leave()
    told.further = [rf"beside it: {STALE.removesuffix(': nobody lives there')}; if that started it, .*"]
    path = re.escape(str(scene.file))
    told.pruned, told.done = [f"to be removed: {path}, api"], [f"removed: {path}, api"]
    told.file = False
    return told


def marked_elsewhere(scene: Scene) -> Told:
    """A service that listens on a port that isn't its own."""
    stranger = scene.listener(env={**os.environ, "PORTSUP_UNIT": "qwen-7-abcdef/web"})
    line = (
        rf"not locked, but listened on: pid {stranger.pid} \(.+\) on 127.0.0.1, started as qwen-7-abcdef/web"
    )
    return Told(
        "foreign", line, hint=rf"hint: end it yourself \(`kill {stranger.pid}`\), .*", live=[stranger]
    )


SITUATIONS = (
    free,
    garbage,
    no_file,
    held,
    held_and_listened_on,
    claiming,
    taking_over,
    elsewhere,
    stale,
    rebooted,
    recycled_supervisor,
    recycled_child,
    recycled_leader,
    recycled_all,
    leftover_with_the_lock,
    leftover_with_all,
    leftover_by_marker,
    leftover_by_session,
    leftover_unproven,
    foreign,
    listens_merely,
    marked_elsewhere,
)


@pytest.fixture
def scene(portsup_home: Home, ports_block: int) -> Iterator[Scene]:
    portsup_home.locks.mkdir()
    portsup_home.locks.chmod(0o1777)
    with ExitStack() as opened:
        yield Scene(portsup_home.locks, ports_block, opened)


@pytest.mark.parametrize("situation", SITUATIONS, ids=[make.__name__ for make in SITUATIONS])
def test_told_and_pruned(situation: Callable[[Scene], Told], scene: Scene, portsup: Portsup) -> None:
    """In words and in JSON the same; a dry run changes nothing, and the real one does what that said."""
    told = situation(scene)
    check_why(told, scene, portsup)
    before = everything(portsup.home)
    check_dry_run(told, portsup)
    check_why(told, scene, portsup)
    assert everything(portsup.home) == before
    assert all(map(os_facts.is_alive, [*told.live, *told.ended]))
    check_prune(told, scene, portsup)


def check_why(told: Told, scene: Scene, portsup: Portsup) -> None:
    done = portsup.run("why", str(scene.port))
    assert (done.returncode, done.stderr) == (0, "")
    patterns = [f"{scene.port}  {told.line}", *told.further, *([told.hint] if told.hint else [])]
    assert_match(done.stdout.splitlines(), patterns)
    facts = portsup.ask("why", str(scene.port))
    assert facts.keys() == WHY_KEYS
    assert facts["holding"] == told.holding
    assert re.fullmatch(f"{scene.port}  {told.line}", facts["line"])
    assert not told.hint or facts["hint"] == done.stdout.splitlines()[-1].partition(": ")[2]
    assert all(listener.keys() == LISTENER_KEYS for listener in facts["listeners"])
    assert all(one.keys() == {"pid", "started", "command"} for one in facts["survivors"])


def check_dry_run(told: Told, portsup: Portsup) -> None:
    done = portsup.run("prune", "--dry-run")
    assert done.returncode == 0
    assert_match(leftover_lines(done.stdout), told.pruned)
    found = portsup.ask("prune", "--dry-run")["leftovers"]
    assert all(one.keys() == LEFTOVER_KEYS and not one["gone"] for one in found)
    assert [one["kind"] for one in found] == [kind_of(line) for line in told.pruned]
    assert [bool(one["kept"]) for one in found] == [line.startswith("left") for line in told.pruned]


def check_prune(told: Told, scene: Scene, portsup: Portsup) -> None:
    done = portsup.run("prune")
    assert_match(leftover_lines(done.stdout), told.done)
    assert done.returncode == told.code
    assert bool(told.file) == os.path.lexists(scene.file)
    assert all(map(os_facts.is_alive, told.live))
    assert not any(map(os_facts.is_alive, told.ended))


def kind_of(line: str) -> str:
    return "process" if ": pid " in line else "file"


def leftover_lines(text: str) -> list[str]:
    """Without the headings, each of which names its instance once."""
    lines = text.splitlines()
    headings = [line for line in lines if not line.startswith("  ")]
    assert all(line.endswith(":") for line in headings) and len({*headings}) == len(headings)
    return [line.removeprefix("  ") for line in lines if line.startswith("  ")]


def assert_match(lines: Sequence[str], patterns: Sequence[str]) -> None:
    assert len(lines) == len(patterns), lines
    for line, pattern in zip(lines, patterns, strict=True):
        assert re.fullmatch(pattern, line), (pattern, line)


def everything(home: Home) -> tuple[list[tuple[object, ...]], list[int]]:
    """All files below the home, byte for byte, with all but the time of the last access; all processes."""
    return sorted(map(_facts, [home.folder, *home.folder.rglob("*")])), sorted(
        p.pid for p in home.processes()
    )


def _facts(path: Path) -> tuple[object, ...]:
    found = path.lstat()
    content = path.read_bytes() if stat.S_ISREG(found.st_mode) else b""
    return (
        str(path),
        found.st_mode,
        found.st_ino,
        found.st_uid,
        found.st_mtime_ns,
        found.st_ctime_ns,
        content,
    )


def test_every_word_of_holding_is_met_and_told() -> None:
    """The table above leaves none out, and the help names each, and each key."""
    from supervisor.cli.prune import prune
    from supervisor.cli.why import why

    words = {word.value for word in Holding}
    assert all(f'"{word}"' in str(why.help) for word in words | (WHY_KEYS - {"schema"}))
    assert all(f'"{word}"' in str(prune.help) for word in LEFTOVER_KEYS)


def test_long_lines_are_folded_on_a_terminal(scene: Scene, portsup: Portsup) -> None:
    """Between words, and neither a path nor a word is broken; elsewhere each fact is one line."""
    scene.leave(config="/work/" + "long/" * 30 + "services.toml")
    ours, theirs = pty.openpty()
    with open(ours, "rb", buffering=0) as terminal:
        command = [*COMMAND, "prune", "--dry-run"]
        environ = {**portsup.home.environ, "COLUMNS": "60"}
        subprocess.run(command, cwd=portsup.cwd, env=environ, stdout=theirs, check=True, timeout=30)
        os.close(theirs)
        shown = terminal.read(65536).decode().splitlines()
    plain = portsup.run("prune", "--dry-run").stdout
    assert f"    /work/{'long/' * 29}long," in shown
    assert "".join(shown).replace(" ", "") == plain.replace("\n", "").replace(" ", "")
    assert all(len(line) <= 60 for line in shown if "/long/" not in line)
    assert len(plain.splitlines()) == 2
