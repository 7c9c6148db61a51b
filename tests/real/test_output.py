"""What services print: all of it in the log file, a copy for people, and nobody is ever blocked."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from harness import COMMAND, Home, Portsup, full_pipe, write_stack

PYTHON = [sys.executable, "-I", "-S", "-c"]


def test_names_before_lines(portsup: Portsup, ports_block: int) -> None:
    """Aligned, on stdout; what portsup itself says is on stderr. The last line may lack its end."""
    services = {
        "web": {"command": [*PYTHON, "print('one'); print('two', end='')"]},
        "longer": {"command": [*PYTHON, "import sys; print('three', file=sys.stderr)"]},
    }
    write_stack(portsup.cwd, services, base_port=ports_block)
    running = portsup.up("-i", "1")
    assert running.wait() == 0
    assert sorted(running.stdout.splitlines()) == ["longer  | three", "web     | one", "web     | two"]
    assert all(
        line[:10] in ("web     | ", "longer  | ", "portsup | ") for line in running.stderr.splitlines()
    )


FEW = 40_000
"""Fit into what an outlet holds back for a reader that is slow."""
FLOOD = "import sys\nfor i in range(%d): sys.stdout.write('%%08d %%s\\n' %% (i, 'x' * 70))"


def test_a_reader_that_reads_gets_all(portsup: Portsup, ports_block: int) -> None:
    """No line is lost or broken on the way to a reader that keeps up."""
    write_stack(portsup.cwd, {"web": {"command": [*PYTHON, FLOOD % FEW]}}, base_port=ports_block)
    running = portsup.up("-i", "1")
    assert running.wait(20) == 0
    lines = running.output.read_bytes().splitlines()
    assert [int(line[10:18]) for line in lines] == list(range(FEW))


def test_the_event_log(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """One JSON object a line, with time, level, event, instance, service, port and pid."""
    write_stack(portsup.cwd, {"web": {"pool": {"offset": 0, "size": 1}}}, base_port=ports_block)
    assert portsup.run("up", "-i", "1", "--wait").returncode == 0
    pid = portsup.instance(1)["services"][0]["pid"]
    assert portsup.run("down").returncode == 0
    told = portsup_home.events()
    assert all(
        {"time", "level", "event", "instance", "instance_id", "message"} <= set(event) for event in told
    )
    (running,) = [event for event in told if event["event"] == "unit.running"]
    assert (running["service"], running["port"], running["pid"], running["level"]) == (
        "web",
        ports_block,
        pid,
        "info",
    )
    names = [event["event"] for event in told]
    assert names.index("instance.claimed") < names.index("unit.spawned") < names.index("unit.running")
    assert names[-3:] == ["unit.stopping", "unit.exited", "unit.stopped"]


def test_colours(portsup: Portsup, ports_block: int) -> None:
    """None where nobody looks; on a terminal each name has its own, and a child's own end with its line."""
    code = "print('\\x1b[31mred\\nstill\\x1b[0m')"
    write_stack(portsup.cwd, {"web": {"command": [*PYTHON, code]}}, base_port=ports_block)
    running = portsup.up("-i", "1")
    assert running.wait() == 0
    assert running.stdout == "web     | \x1b[31mred\nweb     | still\x1b[0m\n"
    primary, secondary = os.openpty()
    environ = {name: value for name, value in portsup.home.environ.items() if name != "NO_COLOR"}
    with subprocess.Popen(
        [*COMMAND, "up", "-i", "1"],
        cwd=portsup.cwd,
        env={**environ, "TERM": "xterm"},
        stdin=secondary,
        stdout=secondary,
        stderr=subprocess.DEVNULL,
    ) as process:
        os.close(secondary)
        seen = b""
        while process.poll() is None or b"still" not in seen:
            try:
                seen += os.read(primary, 4096)
            except OSError:
                break
    os.close(primary)
    assert b"\x1b[36mweb     | \x1b[0m\x1b[31mred\x1b[0m\r\n" in seen


@pytest.mark.parametrize("descriptor", ["1", "2"])
def test_a_closed_descriptor(portsup: Portsup, portsup_home: Home, ports_block: int, descriptor: str) -> None:
    """Started with stdout or stderr closed, it neither fails nor writes into a file that isn't its."""
    write_stack(portsup.cwd, {"web": {"command": [*PYTHON, "print('one')"]}}, base_port=ports_block)
    shell = f'exec {descriptor}>&-; exec "$@"'
    done = subprocess.run(
        ["/bin/sh", "-c", shell, "sh", *COMMAND, "up", "-i", "1"],
        cwd=portsup.cwd,
        env=portsup_home.environ,
        timeout=20,
        check=False,
        capture_output=True,
    )
    assert done.returncode == 0
    assert (portsup_home.logs() / "web.log").read_text() == "one\n"
    for path in portsup_home.folder.rglob("*"):
        if path.is_file() and path.name != "web.log":
            assert b"web     | " not in path.read_bytes()


@pytest.mark.slow
def test_a_start_that_fails_before_a_stalled_terminal(
    portsup: Portsup, portsup_home: Home, ports_block: int
) -> None:
    """The control socket can't be bound, which shows when the first service runs already: `up` and the
    service end, although nobody takes the words about it."""
    service = {"command": [*PYTHON, "import signal; signal.pause()"], "pool": {"offset": 0, "size": 1}}
    write_stack(portsup.cwd, {"web": service}, base_port=ports_block)
    no_folder = portsup_home.folder / "file"
    no_folder.touch()
    environ = {**portsup_home.environ, "XDG_RUNTIME_DIR": str(no_folder)}
    with (
        full_pipe() as stalled,
        subprocess.Popen(
            [*COMMAND, "up", "-i", "1"], cwd=portsup.cwd, env=environ, stderr=stalled, start_new_session=True
        ) as up,
    ):
        try:
            assert up.wait(20) == 1
        finally:
            up.kill()
        assert portsup_home.processes() == []
        assert portsup_home.lock_files() == []
    assert "unit.spawned" in [event["event"] for event in portsup_home.events()]
