"""`portsup run`: one command with an instance of its own, and nothing left of either."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import psutil
import pytest
from harness import (
    COMMAND,
    Background,
    Home,
    Portsup,
    assert_nothing_left,
    health,
    wait_as_a_person,
    wait_until,
    write_stack,
)
from terminal import CTRL_C, Terminal

from supervisor.platform import os_facts

PYTHON = [sys.executable, "-I", "-S"]
WEB = {"web": {"pool": {"offset": 0, "size": 1}}}
SHOW = "import json, os, sys; json.dump(dict(os.environ), sys.stdout)"
FAILS = [*PYTHON, "-c", "import sys; print('no database'); sys.exit(4)"]

HEARS = """
import signal, sys
heard = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
signal.pthread_sigmask(signal.SIG_BLOCK, heard)
print("hearing", flush=True)
told = [signal.Signals(signal.sigwait(heard)).name]
while more := signal.sigtimedwait(heard, 0.5):
    told.append(signal.Signals(more.si_signo).name)
print(*told, flush=True)
sys.exit(7)
"""
"""A command that says which signals it gets, and ends a moment after the first."""

DEAF = """
import signal, subprocess, sys
for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(signum, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-I", "-S", "-c", "import signal; signal.pause()"])
signal.signal(signal.SIGINT, lambda *_: print("what?", flush=True))
print("deaf", flush=True)
while True:
    signal.pause()
"""
"""A command that does nothing about whatever can be ignored, and has a child that doesn't."""


@pytest.fixture
def stack(portsup: Portsup, ports_block: int) -> int:
    """One service, ready when it answers. Returns its port in instance 1."""
    write_stack(portsup.cwd, WEB, base_port=ports_block)
    return ports_block


def assert_gone(home: Home, *ports: int) -> None:
    """Neither of the instance nor of the command is anything left."""
    wait_until(lambda: not home.processes(), 20, "the end of all processes")
    assert_nothing_left(home, ports)


def supervisor_of(portsup: Portsup, number: int = 1) -> int:
    return int(portsup.instance(number)["supervisor"]["pid"])


# The command


def test_a_command_and_its_instance(portsup: Portsup, portsup_home: Home, stack: int) -> None:
    """Its stdout is all that stdout gets, its code is ours; it finds all services ready, and has the
    variables of `exec` without the mark of a unit, also where we have one ourselves."""
    ask = f"import urllib.request; urllib.request.urlopen('http://127.0.0.1:{stack}/api/health'); {SHOW}"
    done = portsup.run(
        *("run", "--", sys.executable, "-c", f"{ask}; sys.exit(3)"),
        PORTSUP_UNIT="outer-1-000000/api",
        PORTSUP_API_URL="http://127.0.0.1:1",
    )
    assert done.returncode == 3, done.stderr
    variables = json.loads(done.stdout)
    assert variables["PORTSUP_WEB_URL"] == f"http://127.0.0.1:{stack}"
    assert (variables["PORTSUP_INSTANCE"], variables["HOST"]) == ("1", "127.0.0.1")
    assert not variables.keys() & {"PORTSUP_UNIT", "PORTSUP_API_URL"}
    assert "web listening" not in done.stderr
    assert f"{Path(sys.executable).name} ended with code 3; `portsup logs -i 1` shows" in done.stderr
    assert_gone(portsup_home, stack)
    assert "web listening" in portsup.run("logs", "-i", "1").stdout


def test_a_command_that_succeeds(portsup: Portsup, portsup_home: Home, stack: int) -> None:
    """One line on stderr; it has our stdin, our folder and our process group."""
    script = f"import os, sys; print(sys.stdin.read(), os.getcwd(), os.getpgrp() == {os.getpgrp()})"
    with subprocess.Popen(
        [*COMMAND, "run", "--", *PYTHON, "-c", script],
        cwd=portsup.cwd,
        env=portsup_home.environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        out, err = running.communicate("from us", timeout=30)
    assert (running.returncode, out) == (0, f"from us {portsup.cwd.resolve()} True\n")
    (line,) = err.splitlines()
    assert line.startswith("portsup | ") and line.endswith(f" test instance 1 is up, base port {stack}")
    assert_gone(portsup_home, stack)


def test_a_command_that_a_signal_ends(portsup: Portsup, portsup_home: Home, stack: int) -> None:
    """128 + n, as a shell says it."""
    done = portsup.run("run", "--", "sh", "-c", "kill -9 $$")
    assert done.returncode == 137
    assert "sh ended with signal KILL" in done.stderr
    assert_gone(portsup_home, stack)


def test_what_cannot_be_run(portsup: Portsup, portsup_home: Home, stack: int, tmp_path: Path) -> None:
    """127 before anything starts, 126, and 2 where there is no command at all."""
    (tmp_path / "plain").write_text("no program")
    missing = portsup.run("run", "--", "no-such-command")
    assert (missing.returncode, missing.stderr) == (
        127,
        "portsup: cannot run no-such-command: no such command\n",
    )
    assert portsup_home.lock_files() == [] and not (portsup_home.folder / "state").exists()
    plain = portsup.run("run", "--", "./plain")
    assert plain.returncode == 126
    assert "portsup: cannot run ./plain: Permission denied" in plain.stderr
    nothing = portsup.run("run", "echo", "hi")
    assert nothing.returncode == 2
    assert "hint: it stands behind two dashes: portsup run -- COMMAND" in nothing.stderr
    assert_gone(portsup_home, stack)


def test_a_command_with_dashes_of_its_own(portsup: Portsup, stack: int) -> None:
    """Only the first two are ours."""
    done = portsup.run("run", "web", "--", "printf", "%s,", "-i", "--", "--help")
    assert (done.returncode, done.stdout) == (0, "-i,--,--help,")


@pytest.mark.slow
def test_its_leftovers_end_with_it(portsup: Portsup, portsup_home: Home, stack: int) -> None:
    """Helpers in the background, one of which ignores TERM; the command's code stands."""
    script = "sleep 300 & (trap '' TERM; sleep 300) & exit 5"
    assert portsup.run("run", "--", "sh", "-c", script).returncode == 5
    assert_gone(portsup_home, stack)


def test_the_logs_are_this_runs(portsup: Portsup, stack: int) -> None:
    """What an earlier instance with that number has printed is set aside."""
    for _ in range(2):
        assert portsup.run("run", "--", "true").returncode == 0
    assert portsup.run("logs", "-i", "1").stdout.count("listening") == 1


def test_verbose_shows_the_services(portsup: Portsup, stack: int) -> None:
    """Their lines and all events go to stderr."""
    done = portsup.run("run", "--verbose", "--", "echo", "hi")
    assert done.stdout == "hi\n"
    assert "web     | web listening" in done.stderr
    assert f"RUNNING on http://127.0.0.1:{stack}" in done.stderr


# Which instance


def test_the_worktrees_own_number_is_spared(portsup: Portsup, stack: int) -> None:
    """`up` has it before and after; and the number that `run` had isn't remembered."""
    number = ["run", "--", "sh", "-c", "echo $PORTSUP_INSTANCE"]
    assert portsup.run("up", "-d").returncode == 0
    assert portsup.run(*number).stdout == "2\n"
    assert portsup.run("down").returncode == 0
    assert portsup.run(*number).stdout == "2\n"
    assert portsup.run("run", "-i", "5", *number[1:]).stdout == "5\n"
    assert portsup.run("up", "-d").returncode == 0
    assert portsup.instance(1)["state"]


def test_a_shell_that_means_an_instance(portsup: Portsup, stack: int) -> None:
    """PORTSUP_INSTANCE beside the other variables of `portsup env` names one that is up; alone, it is which
    one to start."""
    number = ["run", "--", "sh", "-c", "echo $PORTSUP_INSTANCE"]
    assert portsup.run(*number, PORTSUP_INSTANCE="7", PORTSUP_INSTANCE_ID="test-7-000000").stdout == "1\n"
    assert portsup.run(*number, PORTSUP_INSTANCE="7").stdout == "7\n"


# A start that fails


def test_a_service_that_fails_to_start(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """Exit 1 with its last lines; the command isn't run and nothing is left."""
    write_stack(
        portsup.cwd,
        {**WEB, "db": {"command": FAILS, "restart": "no", "ready": {"log": "never"}}},
        base_port=ports_block,
    )
    done = portsup.run("run", "--", "echo", "ran")
    assert (done.returncode, done.stdout) == (1, "")
    said = done.stderr.splitlines()
    assert said[-6:] == [
        "portsup: not every service is ready",
        "  test instance 1: db is EXITED: ended with code 4",
        "    db | the last line that it printed:",
        "    db |   no database",
        "    db | `portsup logs db -n 100` shows more",
    ]
    assert_gone(portsup_home, ports_block)


def test_a_service_that_is_never_ready(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """After --timeout, exit 1."""
    waits = [*PYTHON, "-c", "import signal; signal.pause()"]
    write_stack(portsup.cwd, {"db": {"command": waits, "ready": {"log": "never"}}}, base_port=ports_block)
    done = portsup.run("run", "--timeout", "0.3", "--", "echo", "ran")
    assert (done.returncode, done.stdout) == (1, "")
    assert "db is STARTING: not ready after 0.3 s (--timeout)" in done.stderr
    assert_gone(portsup_home)


def test_what_up_refuses(portsup: Portsup, portsup_home: Home, stack: int) -> None:
    """With the same codes: 75, 69 and 78."""
    assert portsup.run("up", "-d", "-i", "1").returncode == 0
    assert portsup.run("run", "-i", "1", "--", "true").returncode == 75
    write_stack(portsup.cwd, {"web": {"pool": {"ports": [stack]}}}, base_port=stack)
    full = portsup.run("run", "--", "true")
    assert full.returncode == 69 and "no free port for web" in full.stderr
    (portsup.cwd / "services.toml").write_text("broken [")
    assert portsup.run("run", "--", "true").returncode == 78
    assert portsup.run("down").returncode == 0


def test_a_signal_before_the_command(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """The start is broken off, as that of `up` is."""
    waits = [*PYTHON, "-c", "import signal; signal.pause()"]
    write_stack(portsup.cwd, {"db": {"command": waits, "ready": {"log": "never"}}}, base_port=ports_block)
    running = portsup.start("run", "--", "echo", "ran")
    portsup.wait_for_services(1, ["STARTING"])
    running.process.terminate()
    assert running.wait() == 143
    assert running.stdout == ""
    assert_gone(portsup_home)


# Signals


SENDS: dict[str, tuple[Callable[[Background], None], str]] = {
    "INT": (lambda run: run.process.send_signal(signal.SIGINT), "SIGINT"),
    "TERM": (lambda run: run.process.send_signal(signal.SIGTERM), "SIGTERM"),
    "HUP": (lambda run: run.process.send_signal(signal.SIGHUP), "SIGHUP"),
    "INT to the group": (lambda run: run.interrupt(), "SIGINT"),
    "TERM to the group": (lambda run: os.killpg(run.process.pid, signal.SIGTERM), "SIGTERM"),
    "HUP to the group": (lambda run: os.killpg(run.process.pid, signal.SIGHUP), "SIGHUP"),
}


@pytest.mark.parametrize("how", SENDS)
def test_a_signal_reaches_the_command_once(
    how: str, portsup: Portsup, portsup_home: Home, stack: int
) -> None:
    """Whether it went to portsup alone or to the whole group; the command ends in its own time, and the
    instance after it."""
    send, name = SENDS[how]
    running = portsup.start("run", "--", *PYTHON, "-c", HEARS)
    wait_until(lambda: "hearing" in running.stdout, 15, "the command")
    send(running)
    assert running.wait() == 7
    assert running.stdout == f"hearing\n{name}\n"
    assert_gone(portsup_home, stack)


def test_ctrl_c_on_a_terminal(portsup: Portsup, portsup_home: Home, stack: int) -> None:
    """The kernel has given it to the command, and portsup doesn't again."""
    command = [*COMMAND, "run", "--", *PYTHON, "-c", HEARS]
    with closing(Terminal(command, portsup.cwd, portsup_home.environ)) as terminal:
        wait_until(lambda: "hearing" in terminal.screen, 15, "the command")
        terminal.press(CTRL_C)
        assert terminal.wait() == 7
        assert [line for line in terminal.screen.splitlines() if "SIG" in line] == ["^CSIGINT"]
        assert terminal.is_as_before()
    assert_gone(portsup_home, stack)


def test_a_second_one_kills(portsup: Portsup, portsup_home: Home, stack: int) -> None:
    """The command and its children at once, and then what is left of the instance."""
    running = portsup.start("run", "--", *PYTHON, "-c", DEAF)
    wait_until(lambda: "deaf" in running.stdout, 15, "the command")
    running.process.send_signal(signal.SIGINT)
    wait_until(lambda: "what?" in running.stdout, 15, "the first one to arrive")
    assert health(stack)
    wait_as_a_person()
    running.process.send_signal(signal.SIGINT)
    assert running.wait() == 137
    assert_gone(portsup_home, stack)


@pytest.mark.parametrize("command", ["up", "run"])
def test_a_signal_that_comes_twice_at_once(
    command: str, portsup: Portsup, portsup_home: Home, stack: int
) -> None:
    """As from timeout(1), which signals its child and its group: one stop command, not two."""
    behind = ["--", *PYTHON, "-c", HEARS] if command == "run" else []
    running = portsup.start(command, *behind)
    portsup.wait_for_services(1)
    wait_until(lambda: "hearing" in running.stdout or command == "up", 15, "the command")
    supervisor = psutil.Process(supervisor_of(portsup))
    supervisor.suspend()  # so that it hears of both at the same moment
    for _ in range(2):
        taken = asleep(running.process.pid) + 1
        running.process.send_signal(signal.SIGTERM)
        wait_until(partial(has_slept, running.process.pid, taken), 10, "the guard to take it")
    supervisor.resume()
    assert running.wait() == (7 if command == "run" else 143)
    assert "killing" not in running.stderr
    assert_gone(portsup_home, stack)


def asleep(pid: int) -> int:
    """How often a process went to sleep by itself."""
    return int(psutil.Process(pid).num_ctx_switches().voluntary)


def has_slept(pid: int, times: int) -> bool:
    return asleep(pid) >= times


def test_nohup(portsup: Portsup, portsup_home: Home, stack: int) -> None:
    """HUP stays ignored, in the command too."""
    script = "import signal; print(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)"
    through = Portsup(portsup_home, portsup.cwd, ("nohup",))
    assert through.run("run", "--", *PYTHON, "-c", script).stdout == "True\n"


# What goes wrong meanwhile


def test_a_service_that_dies_meanwhile(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """It is told, and the command goes on: its code is ours."""
    write_stack(portsup.cwd, {"web": {**WEB["web"], "restart": "no"}}, base_port=ports_block)
    running = portsup.start("run", "--", "sh", "-c", "echo up; until test -e go; do sleep 0.02; done")
    wait_until(lambda: running.stdout == "up\n", 15, "the command")
    os.kill(portsup.service(1, "web")["pid"], signal.SIGKILL)
    wait_until(lambda: "EXITED: ended with signal KILL" in running.stderr, 15, "the news")
    (portsup.cwd / "go").touch()
    assert running.wait() == 0
    assert_gone(portsup_home, ports_block)


def test_down_meanwhile(portsup: Portsup, portsup_home: Home, stack: int) -> None:
    """The command is asked to end before the services are stopped."""
    running = portsup.start("run", "--", *PYTHON, "-c", HEARS)
    wait_until(lambda: "hearing" in running.stdout, 15, "the command")
    assert portsup.run("down").returncode == 0
    assert running.wait() == 7
    assert running.stdout == "hearing\nSIGTERM\n"
    assert_gone(portsup_home, stack)


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["guard", "supervisor"])
def test_portsup_killed(victim: str, portsup: Portsup, portsup_home: Home, stack: int) -> None:
    """With -9: neither the instance nor the command stays, though that one ignores what it can."""
    running = portsup.start("run", "--", *PYTHON, "-c", DEAF)
    wait_until(lambda: "deaf" in running.stdout, 15, "the command")
    os.kill(running.process.pid if victim == "guard" else supervisor_of(portsup), signal.SIGKILL)
    assert running.wait() == (-9 if victim == "guard" else 137)
    assert_gone(portsup_home, stack)


def test_term_to_the_supervisor_alone(portsup: Portsup, portsup_home: Home, stack: int) -> None:
    """Is a stop: the command is asked to end, once."""
    running = portsup.start("run", "--", *PYTHON, "-c", HEARS)
    wait_until(lambda: "hearing" in running.stdout, 15, "the command")
    os.kill(supervisor_of(portsup), signal.SIGTERM)
    assert running.wait() == 7
    assert running.stdout == "hearing\nSIGTERM\n"
    assert_gone(portsup_home, stack)


# Several instances


def test_several_side_by_side(portsup: Portsup, portsup_home: Home, stack: int) -> None:
    """Whole lines with the instance's number, each stream where it belongs; the worst code is ours. They
    run at the same time: each waits for all."""
    script = """
touch up.$PORTSUP_INSTANCE
until test -e up.1 && test -e up.2 && test -e up.3; do sleep 0.02; done
printf 'half a '; echo line; echo aside >&2; echo $PORTSUP_WEB_PORT; printf unfinished
exit $PORTSUP_INSTANCE
"""
    done = portsup.run("run", "--count", "3", "--", "sh", "-c", script)
    assert done.returncode == 3
    lines = done.stdout.splitlines()
    for number in (1, 2, 3):
        port = stack + 100 * (number - 1)
        own = [line for line in lines if line.startswith(f"{number} | ")]
        assert own == [f"{number} | {text}" for text in ("half a line", port, "unfinished")]
        assert f"{number} | aside\n" in done.stderr
    assert len(lines) == 9
    assert_gone(portsup_home, *(stack + 100 * place for place in range(3)))


def test_one_that_fails_to_start_ends_all(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """With its code and its reason; the others' commands are asked to end."""
    write_stack(
        portsup.cwd, {"web": {"pool": {"ports": [ports_block, ports_block + 1]}}}, base_port=ports_block
    )
    done = portsup.run("run", "--count", "3", "--", "sleep", "300")
    assert done.returncode == 69
    assert "no free port for web" in done.stderr
    assert_gone(portsup_home, ports_block, ports_block + 1)


@pytest.mark.parametrize("how", SENDS)
def test_a_signal_reaches_all_commands_once(
    how: str, portsup: Portsup, portsup_home: Home, stack: int
) -> None:
    """Whether it went to portsup alone or to its group."""
    send, name = SENDS[how]
    running = portsup.start("run", "-i", "1", "--count", "2", "--", *PYTHON, "-c", HEARS)
    wait_until(lambda: running.stdout.count("hearing") == 2, 15, "the commands")
    send(running)
    assert running.wait() == 7
    told = [line for line in running.stdout.splitlines() if "SIG" in line]
    assert sorted(told) == [f"1 | {name}", f"2 | {name}"]
    assert_gone(portsup_home, stack, stack + 100)


@pytest.mark.slow
def test_several_killed(portsup: Portsup, portsup_home: Home, stack: int) -> None:
    """With -9: no instance and no command stays."""
    running = portsup.start("run", "--count", "2", "--", *PYTHON, "-c", DEAF)
    wait_until(lambda: running.stdout.count("deaf") == 2, 15, "the commands")
    running.process.kill()
    assert running.wait() == -9
    assert_gone(portsup_home, stack, stack + 100)


def test_several_and_a_reader_that_goes_away(portsup: Portsup, portsup_home: Home, stack: int) -> None:
    """The commands find it out as they would without us."""
    reader, writer = os.pipe()
    running = portsup.start("run", "--count", "2", "--", "yes", stdout=writer)
    os.close(writer)
    assert b"y" in os.read(reader, 100)
    os.close(reader)
    assert running.wait() == 128 + signal.SIGPIPE
    assert_gone(portsup_home, stack, stack + 100)


def test_the_command_is_nobodys_unit(portsup: Portsup, portsup_home: Home, stack: int) -> None:
    """It carries no mark, and none of the instance's locks."""
    running = portsup.start("run", "--", *PYTHON, "-c", HEARS)
    wait_until(lambda: "hearing" in running.stdout, 15, "the command")
    (command,) = [
        child
        for child in psutil.Process(supervisor_of(portsup)).children()
        if child.pid != portsup.service(1, "web")["pid"]
    ]
    assert os_facts.environment_variable(command.pid, "PORTSUP_UNIT") is None
    assert os_facts.locked_files(command.pid) == {}
    running.process.terminate()
    assert running.wait() == 7
