"""`portsup doctor` on set-ups that are really broken; it says what to do, and changes nothing."""

from __future__ import annotations

import json
import os
import shlex
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from claims import NOBODY, instance_record, needs_root
from harness import MAY_SKIP, WITHOUT_ROOTS_RIGHTS, Home, Portsup, private_home, write_stack

from supervisor import records
from supervisor.cli.checkup.limits import files_needed
from supervisor.config.load import load

pytestmark = pytest.mark.slow

SOMEBODY = 4242
"""A user who has no processes."""

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


def examine(portsup: Portsup, *arguments: str, **environ: Any) -> dict[str, dict[str, Any]]:
    """Check → what was found. The exit code says whether something fails."""
    done = portsup.run("doctor", "--json", *arguments, **environ)
    return read(done)


def read(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    assert done.stderr == ""
    found = json.loads(done.stdout)["checks"]
    assert done.returncode == any(one["verdict"] == "fail" for one in found)
    return {one["check"]: one for one in found}


def repair(found: dict[str, Any]) -> None:
    """Run the command that it recommends."""
    subprocess.run(["sh", "-c", found["command"]], check=True, timeout=10, capture_output=True)


def picture(folder: Path) -> dict[str, tuple[int, int, int, int]]:
    """All that could be changed below a folder."""
    found = {}
    for path in (folder, *sorted(folder.rglob("*"))):
        status = path.lstat()
        found[str(path)] = (status.st_mode, status.st_uid, status.st_size, status.st_mtime_ns)
    return found


def test_all_is_well(portsup: Portsup) -> None:
    """Also before anything was ever started: nothing is made, and exit code 0."""
    before = picture(portsup.home.folder)
    found = examine(portsup)
    assert {one["verdict"] for one in found.values()} == {"ok"}, found
    assert all(one["command"] is None for one in found.values())
    assert "is made when it is needed" in found["lock folder"]["message"]
    assert picture(portsup.home.folder) == before


def test_a_line_for_each_check(portsup: Portsup) -> None:
    """As people read it: verdict, name, what is so, what to do, the command."""
    portsup.home.locks.mkdir()
    portsup.home.locks.chmod(0o777)
    done = portsup.run("doctor")
    lines = done.stdout.splitlines()
    assert done.returncode == 1 and done.stderr == ""
    assert all(line.startswith(("ok    ", "warn  ", "fail  ")) for line in lines)
    (locks,) = [line for line in lines if "lock folder" in line]
    assert locks.startswith("fail  lock folder: ")
    assert locks.endswith(f"; run: chmod 1777 {portsup.home.locks}")


# The lock folder


def test_a_lock_folder_without_its_sticky_bit(portsup: Portsup) -> None:
    """Fails; the command mends it."""
    portsup.home.locks.mkdir()
    portsup.home.locks.chmod(0o777)
    before = picture(portsup.home.folder)
    found = examine(portsup)["lock folder"]
    assert found["verdict"] == "fail" and "sticky bit" in found["message"]
    assert picture(portsup.home.folder) == before
    repair(found)
    assert examine(portsup)["lock folder"]["verdict"] == "ok"


@needs_root
@pytest.mark.parametrize("kind", ["link", "file"])
def test_a_lock_folder_that_is_none(portsup: Portsup, kind: str) -> None:
    """Fails; the command takes away what is in the way, and not what it leads to."""
    elsewhere = portsup.home.folder / "elsewhere"
    elsewhere.mkdir()
    if kind == "link":
        portsup.home.locks.symlink_to(elsewhere)
    else:
        portsup.home.locks.write_text("")
    found = examine(portsup)["lock folder"]
    assert (
        found["verdict"] == "fail"
        and f"it is {'a link' if kind == 'link' else 'not a folder'}" in found["message"]
    )
    repair(found)
    assert examine(portsup)["lock folder"]["verdict"] == "ok"
    assert elsewhere.is_dir()


@needs_root
def test_another_users_lock_folder(portsup: Portsup) -> None:
    """A warning, and the command with which root makes it proper."""
    portsup.home.locks.mkdir()
    portsup.home.locks.chmod(0o1777)
    os.chown(portsup.home.locks, NOBODY, NOBODY)
    found = examine(portsup)["lock folder"]
    assert found["verdict"] == "warn" and f"uid {NOBODY}" in found["message"]
    repair(found)
    assert examine(portsup)["lock folder"]["verdict"] == "ok"
    assert portsup.home.locks.stat().st_uid == 0


def test_a_lock_folder_that_cannot_be_made(portsup_home: Home, tmp_path: Path) -> None:
    """Nor one that this user can't write to."""
    closed = tmp_path / "closed"
    closed.mkdir()
    closed.chmod(0o555)
    bound = Portsup(portsup_home, tmp_path, WITHOUT_ROOTS_RIGHTS)
    for locks in (closed / "locks", closed):
        found = examine(bound, PORTSUP_LOCK_DIR=str(locks))["lock folder"]
        assert found["verdict"] == "fail" and "this user can't write" in found["message"]


# The other folders


@pytest.mark.parametrize(
    ("check", "name", "mode"),
    [("state folder", "state/portsup", 0o777), ("socket folder", "run/portsup", 0o750)],
)
def test_a_folder_that_others_may_enter(portsup: Portsup, check: str, name: str, mode: int) -> None:
    """A warning; the command closes it, and no more."""
    folder = portsup.home.folder / name
    folder.mkdir(parents=True)
    folder.chmod(mode)
    found = examine(portsup)[check]
    assert found["verdict"] == "warn" and f"{mode:o}" in found["message"]
    repair(found)
    assert examine(portsup)[check]["verdict"] == "ok"


@pytest.mark.parametrize(
    ("check", "name"), [("state folder", "state/portsup"), ("socket folder", "run/portsup")]
)
def test_a_folder_that_is_none(portsup: Portsup, check: str, name: str) -> None:
    """Fails, and says which variable names another."""
    file = portsup.home.folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("")
    found = examine(portsup)[check]
    assert found["verdict"] == "fail" and "not a folder" in found["message"]
    assert "XDG_" in found["advice"]


@pytest.mark.parametrize(
    ("check", "name"), [("state folder", "state/portsup"), ("socket folder", "run/portsup")]
)
def test_a_folder_that_is_closed(portsup_home: Home, tmp_path: Path, check: str, name: str) -> None:
    """Also to oneself; the command opens it."""
    folder = portsup_home.folder / name
    folder.mkdir(parents=True)
    folder.chmod(0o500)
    bound = Portsup(portsup_home, tmp_path, WITHOUT_ROOTS_RIGHTS)
    found = examine(bound)[check]
    assert found["verdict"] == "fail" and "can't write" in found["message"]
    repair(found)
    assert examine(bound)[check]["verdict"] == "ok"


@needs_root
@pytest.mark.parametrize(
    ("check", "name"), [("state folder", "state/portsup"), ("socket folder", "run/portsup")]
)
def test_another_users_folder(portsup: Portsup, check: str, name: str) -> None:
    """Fails: it would read what is ours."""
    folder = portsup.home.folder / name
    folder.mkdir(parents=True)
    os.chown(folder, NOBODY, NOBODY)
    found = examine(portsup)[check]
    assert found["verdict"] == "fail" and f"uid {NOBODY}" in found["message"]


def test_a_socket_folder_that_others_could_exchange(portsup: Portsup) -> None:
    """It lies in one that everybody may write to."""
    above = portsup.home.folder / "run"
    (above / "portsup").mkdir(mode=0o700)
    above.chmod(0o777)
    found = examine(portsup)["socket folder"]
    assert found["verdict"] == "fail" and "in its place" in found["message"]
    assert f"chmod +t {above}" in found["advice"]


def test_a_path_that_is_too_long_for_sockets(portsup: Portsup) -> None:
    """They lie elsewhere; a warning."""
    long = portsup.home.folder / ("x" * 100)
    found = examine(portsup, XDG_RUNTIME_DIR=str(long))["socket folder"]
    assert found["verdict"] == "warn" and "too long" in found["message"]


# The machine


def test_the_namesake_in_the_same_environment(portsup: Portsup, tmp_path: Path) -> None:
    """PyPI's Supervisor and portsup overwrite each other."""
    (tmp_path / "supervisor-4.2.5.dist-info").mkdir()
    (tmp_path / "supervisor-4.2.5.dist-info/METADATA").write_text(
        "Metadata-Version: 2.1\nName: supervisor\nVersion: 4.2.5\n"
    )
    found = examine(portsup, PYTHONPATH=str(tmp_path))["python"]
    assert found["verdict"] == "fail" and "overwrites" in found["message"]


PIDFD_OPEN = 434
"""On every architecture."""
NATIVE = {"x86_64": (41, 157), "aarch64": (198, 167)}.get(os.uname().machine)
"""The numbers of socket(2) and prctl(2)."""

LOAD, EQUALS, RETURN = 0x20, 0x15, 0x06
"""Of a filter's instructions: seccomp(2)."""
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | 38
NUMBER, FIRST_ARGUMENT = 0, 16


def filter_of(call: int, argument: int | None = None) -> bytes:
    """A seccomp program: `call`, with this first argument, gives ENOSYS."""
    steps = [(LOAD, 0, 0, NUMBER), (EQUALS, 0, 3 if argument is not None else 1, call)]
    if argument is not None:
        steps += [(LOAD, 0, 0, FIRST_ARGUMENT), (EQUALS, 0, 1, argument)]
    steps += [(RETURN, 0, 0, REFUSE), (RETURN, 0, 0, ALLOW)]
    return b"".join(struct.pack("HBBI", *step) for step in steps)


REFUSING = """
import ctypes, os, sys
program = bytes.fromhex(sys.argv[1])
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_char_p)]
libc = ctypes.CDLL(None, use_errno=True)
zero = ctypes.c_ulong(0)
assert libc.prctl(38, ctypes.c_ulong(1), zero, zero, zero) == 0
assert libc.prctl(22, ctypes.c_ulong(2), ctypes.byref(Program(len(program) // 8, program)), zero, zero) == 0
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.mark.skipif(NATIVE is None, reason="the numbers of this machine's system calls aren't known here")
@pytest.mark.parametrize(
    ("program", "verdict", "named"),
    [
        (filter_of(PIDFD_OPEN), "fail", "pidfds"),
        (filter_of(NATIVE[1] if NATIVE else 0, 37), "fail", "subreapers"),
        (filter_of(NATIVE[0] if NATIVE else 0, socket.AF_NETLINK), "warn", "sock_diag"),
    ],
    ids=["pidfd", "subreaper", "sock_diag"],
)
def test_a_sandbox_without_a_feature(
    portsup_home: Home, tmp_path: Path, program: bytes, verdict: str, named: str
) -> None:
    """A seccomp filter that refuses the call."""
    through = [sys.executable, "-I", "-S", "-c", REFUSING, program.hex()]
    found = examine(Portsup(portsup_home, tmp_path, through))["kernel"]
    assert found["verdict"] == verdict and named in found["message"]


def unshared(script: str) -> list[str]:
    """`sh` with mounts of its own."""
    return ["unshare", "--mount", "sh", "-c", f'{script} && exec "$@"', "sh"]


@pytest.mark.parametrize(("option", "verdict"), [("hidepid=2", "warn"), ("hidepid=0", "ok")])
def test_hidden_processes(portsup_home: Home, tmp_path: Path, option: str, verdict: str) -> None:
    """/proc is mounted so, and this user may not look behind it."""
    mounted = unshared(f"mount -t proc -o {option} proc /proc")
    if os.geteuid() or subprocess.run([*mounted, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this user can't mount /proc")
    bound = [*mounted, "setpriv", "--bounding-set", "-all", "--inh-caps", "-all"]
    found = examine(Portsup(portsup_home, tmp_path, bound))["other users"]
    assert found["verdict"] == verdict
    assert (found["command"] is not None) is (verdict == "warn")


@pytest.mark.skipif(LIBRARY is None and MAY_SKIP, reason="needs libfaketime: apt install faketime")
def test_a_clock_that_was_never_set(portsup: Portsup) -> None:
    """It is 1990: a warning."""
    environ = {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME": "@1990-01-01 00:00:00",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    found = examine(portsup, **environ)["clock"]
    assert found["verdict"] == "warn" and "1990" in found["message"]


# Limits


def limited(home: Home, cwd: Path, limit: str, *through: str) -> Portsup:
    return Portsup(home, cwd, [*through, "prlimit", limit])


def stack_of(folder: Path, base: int, services: int) -> Path:
    """Services that sleep, each with two ports."""
    pools = {f"s{n}": {"offset": n, "size": 1} for n in range(services)}
    more = {name: {"m": {"offset": pool["offset"] + services, "size": 1}} for name, pool in pools.items()}
    return write_stack(
        folder,
        {name: {"command": ["sleep", "120"], "pool": pools[name], "pools": more[name]} for name in pools},
        base_port=base,
    )


def test_too_few_open_files(portsup_home: Home, tmp_path: Path, ports_block: int) -> None:
    """With exactly as many as it names the instance starts; with few it fails, here as there."""
    file = stack_of(tmp_path, ports_block, 20)
    needed = files_needed(load(file))
    few = limited(portsup_home, tmp_path, f"--nofile={needed - 1}:{needed - 1}")
    found = examine(few)["open files"]
    assert found["verdict"] == "fail" and f"takes {needed}" in found["message"]
    assert found["command"] == "ulimit -n 1024"
    enough = limited(portsup_home, tmp_path, f"--nofile={needed}:{needed}")
    assert examine(enough)["open files"]["verdict"] == "ok"
    done = enough.run("up", "-i", "1", "--wait")
    assert done.returncode == 0, done.stderr
    assert enough.run("down").returncode == 0
    hardly = limited(portsup_home, tmp_path, "--nofile=64:64")
    assert examine(hardly)["open files"]["verdict"] == "fail"
    assert hardly.run("up", "-i", "1", "--wait").returncode == 1


@needs_root
def test_too_few_processes(tmp_path: Path) -> None:
    """RLIMIT_NPROC of a user who isn't root."""
    with private_home() as home:
        for folder in (home.folder, home.folder / "run"):
            os.chown(folder, SOMEBODY, SOMEBODY)
        user = [f"--reuid={SOMEBODY}", f"--regid={SOMEBODY}", "--clear-groups"]
        reads = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]  # this very Python
        through = ["setpriv", *user, *reads]
        few = Portsup(home, Path("/"), ["prlimit", "--nproc=2:2", *through])
        found = read(few.run("doctor", "--json"))["processes"]
        assert found["verdict"] == "fail"
        assert "(RLIMIT_NPROC) may have 2, and has 1:" in found["message"]  # the doctor's own
        many = Portsup(home, Path("/"), ["prlimit", "--nproc=500:500", *through])
        assert read(many.run("doctor", "--json"))["processes"]["verdict"] == "ok"


# The stack


def test_a_broken_stack(portsup: Portsup) -> None:
    """Fails, and leads to `portsup check`."""
    (portsup.cwd / "services.toml").write_text("[services.a]\n")
    found = examine(portsup)
    assert found["services.toml"]["verdict"] == "fail"
    assert found["services.toml"]["command"] == "portsup check"
    assert "outgoing connections" not in found


def test_a_file_that_is_not_there(portsup: Portsup) -> None:
    """Named by hand, it is missed."""
    assert examine(portsup, "-f", "none.toml")["services.toml"]["verdict"] == "fail"
    assert examine(portsup)["services.toml"]["verdict"] == "ok"


def test_ports_for_outgoing_connections(portsup: Portsup) -> None:
    """Of the kernel's range here and now."""
    low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    write_stack(portsup.cwd, {"a": {"command": "true", "pool": {"ports": [low, high]}}}, base_port=6000)
    found = examine(portsup)["outgoing connections"]
    assert found["verdict"] == "warn" and f"{low}, {high} lies" in found["message"]
    assert "ip_local_reserved_ports=" in found["command"]


def test_low_ports(portsup_home: Home, tmp_path: Path) -> None:
    """This user may not listen there, or may: as the kernel says."""
    write_stack(tmp_path, {"a": {"command": "true", "pool": {"ports": [80]}}}, base_port=6000)
    through = ["setpriv", "--bounding-set", "-net_bind_service"] if os.geteuid() == 0 else []
    found = examine(Portsup(portsup_home, tmp_path, through))["low ports"]
    first = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    assert found["verdict"] == ("fail" if first > 80 else "ok")
    if first > 80:
        assert found["command"].endswith("ip_unprivileged_port_start=80")
        tried = subprocess.run(
            [*through, sys.executable, "-c", "import socket; socket.socket().bind(('127.0.0.1', 80))"],
            capture_output=True,
            check=False,
        )
        assert b"Permission denied" in tried.stderr


def test_leftovers(portsup: Portsup, portsup_home: Home) -> None:
    """Of a supervisor that is dead; `portsup prune` clears them, the doctor doesn't."""
    portsup_home.locks.mkdir()
    portsup_home.locks.chmod(0o1777)
    dead = instance_record(boot_id="another")
    file = records.instance_file(portsup_home.locks, dead.base_port)
    file.write_bytes(records.encode(dead))
    found = examine(portsup)["leftovers"]
    assert (found["verdict"], found["command"]) == ("warn", "portsup prune")
    assert "1 lock file " in found["message"]
    assert file.exists()
    assert portsup.run(*shlex.split(found["command"])[1:]).returncode == 0
    assert examine(portsup)["leftovers"]["verdict"] == "ok"


def test_a_running_instance_is_no_leftover(portsup: Portsup, ports_block: int) -> None:
    """All is well while one runs, and it goes on."""
    write_stack(portsup.cwd, {"a": {"command": ["sleep", "120"]}}, base_port=ports_block)
    assert portsup.run("up", "-d", "-i", "1").returncode == 0
    assert {one["verdict"] for one in examine(portsup).values()} == {"ok"}
    assert portsup.instance(1)["state"] == "running"
    assert portsup.run("down").returncode == 0
