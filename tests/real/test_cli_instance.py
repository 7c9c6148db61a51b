"""The commands against an instance that answers on a real control socket and does as each test says."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from harness import COMMAND, Home, Portsup, wait_until
from terminal import CTRL_C, Terminal

from supervisor import paths, records
from supervisor.control.server import ControlServer
from supervisor.errors import UsageError
from supervisor.line_times import TimesWriter
from supervisor.platform import Owner, os_facts
from supervisor.records import InstanceRecord, PortRecord
from supervisor.snapshot import InstanceSnapshot, ServiceSnapshot, document


def unit(name: str, port: int, state: str = "RUNNING", **fields: Any) -> ServiceSnapshot:
    known: dict[str, Any] = {
        "ready": state == "RUNNING",
        "pid": 4242 if state == "RUNNING" else None,
        "ports": {"port": port},
        "pools": {"port": (port, port + 1)},
        "url": f"http://127.0.0.1:{port}",
        "shield": "up",
        "restarts": 0,
        "uptime_s": 3.0,
        "exit": None,
        "reason": None,
    }
    return ServiceSnapshot(name=name, state=state, **{**known, **fields})


class Instance:
    """The registry entry and control socket of one instance of `config`, whose supervisor is this process."""

    def __init__(self, home: Home, config: Path, number: int = 1, supervisor: Owner | None = None) -> None:
        self.answers: dict[str, Any] = {"down": {}}
        """Method → result, or an exception to raise."""
        self.calls: list[tuple[str, Mapping[str, Any]]] = []
        home.locks.mkdir(exist_ok=True)
        self.record = self._claim(home, config, number, supervisor or _myself())
        self.services: tuple[ServiceSnapshot, ...] = (
            unit("api", self.record.base_port),
            unit("web", self.record.base_port + 10),
        )
        self._server = ControlServer(Path(self.record.socket), self._dispatch)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._run(self._server.start())

    def _claim(self, home: Home, config: Path, number: int, supervisor: Owner) -> InstanceRecord:
        logs = home.folder / f"logs-{number}"
        logs.mkdir()
        common: dict[str, Any] = {
            "stack": "qwen",
            "config": str(config),
            "instance": number,
            "instance_id": f"qwen-{number}-0000",
            "supervisor": supervisor,
            "uid": os.getuid(),
            "boot_id": os_facts.boot_id(),
            "pidns": os_facts.pid_namespace(),
            "netns": os_facts.net_namespace(),
            "acquired_at": 0.0,
        }
        base_port = 5900 + 100 * number
        record = InstanceRecord(
            **common,
            base_port=base_port,
            socket=str(paths.socket_path(f"qwen-{number}")),
            logs=str(logs),
        )
        port = PortRecord(**common, port=base_port, pool="port", service="api", child=None)
        self.instance_file = records.instance_file(home.locks, base_port)
        self.port_file = records.port_file(home.locks, base_port)
        self.instance_file.write_bytes(records.encode(record))
        self.port_file.write_bytes(records.encode(port))
        return record

    async def _dispatch(self, method: str, params: Mapping[str, Any]) -> Any:
        self.calls.append((method, params))
        answer = self.snapshot.to_json() if method == "snapshot" else self.answers[method]
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def snapshot(self) -> InstanceSnapshot:
        return InstanceSnapshot(
            instance=self.record.instance,
            instance_id=self.record.instance_id,
            stack=self.record.stack,
            config=self.record.config,
            base_port=self.record.base_port,
            state="running",
            supervisor_pid=self.record.supervisor.pid,
            supervisor_started=1.5,
            services=self.services,
        )

    def was_asked(self, method: str) -> bool:
        return any(called == method for called, _ in self.calls)

    def _run(self, coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def hang_up(self) -> None:
        """Close the socket, as a supervisor does at its end."""
        self._run(self._server.close())

    def close(self) -> None:
        self.hang_up()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


def _myself() -> Owner:
    owner = os_facts.owner(os.getpid())
    assert owner is not None
    return owner


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A services.toml that can't be read: none of these commands needs to."""
    path = tmp_path.resolve() / "services.toml"
    path.write_text("broken [")
    return path


@pytest.fixture
def instance(portsup_home: Home, config: Path) -> Iterator[Instance]:
    running = Instance(portsup_home, config)
    yield running
    running.close()


@pytest.fixture
def second(portsup_home: Home, config: Path) -> Iterator[Instance]:
    running = Instance(portsup_home, config, 2)
    yield running
    running.close()


# status and ps


def test_status_json_is_the_document(instance: Instance, second: Instance, portsup: Portsup) -> None:
    """Exactly the snapshots, on one line."""
    done = portsup.run("status", "--json")
    assert done.returncode == 0 and done.stderr == ""
    assert json.loads(done.stdout) == document([instance.snapshot, second.snapshot])
    assert done.stdout.count("\n") == 1


def test_status_of_one(instance: Instance, second: Instance, portsup: Portsup) -> None:
    """By option, and by what a service inherits from its own instance."""
    for done in (
        portsup.run("status", "-i", "2", "--json"),
        portsup.run("status", "--json", PORTSUP_INSTANCE="2"),
    ):
        assert json.loads(done.stdout) == document([second.snapshot])


def test_status_table_in_a_pipe(instance: Instance, portsup: Portsup) -> None:
    """Plain words in columns."""
    instance.services = (unit("api", 6000), unit("web", 6010, "BACKOFF", reason="tries again in 2 s"))
    head, api, web, why = portsup.run("status").stdout.splitlines()
    assert " ".join(head.split()) == "instance service state port url pid shield restarts uptime"
    assert api.split() == ["1", "api", "RUNNING", "6000", "http://127.0.0.1:6000", "4242", "up", "0", "3.0s"]
    assert web.split()[:3] == ["1", "web", "BACKOFF"]
    assert why == "1 web: tries again in 2 s"


@pytest.mark.parametrize("columns", [60, 80])
def test_status_fits_its_terminal(columns: int, instance: Instance, portsup: Portsup) -> None:
    """On a real terminal of that width no line is wider, and NO_COLOR is honoured."""
    shown = on_terminal(portsup, columns, "status")
    assert "\x1b" not in shown and "RUNNING" in shown
    assert max(len(line) for line in shown.splitlines()) <= columns


def test_status_is_coloured_on_a_terminal(instance: Instance, portsup: Portsup) -> None:
    """Unless NO_COLOR is set."""
    assert "\x1b[32mRUNNING" in on_terminal(portsup, 80, "status", NO_COLOR="", TERM="xterm")


def on_terminal(portsup: Portsup, columns: int, *arguments: str, **environ: str) -> str:
    """What the command prints to a terminal of that width."""
    variables = {**portsup.home.environ, **environ}
    del variables["COLUMNS"]
    with closing(Terminal([*COMMAND, *arguments], portsup.cwd, variables, (columns, 40))) as terminal:
        assert terminal.wait() == 0, terminal.screen
        return terminal.screen


@pytest.mark.parametrize("json_too", ["", "1"])
def test_status_watch_ends_with_ctrl_c(instance: Instance, portsup: Portsup, json_too: str) -> None:
    """Exit 130 and no comment; without a terminal each look is printed below the last. It was typed, so
    that it wins over a variable that says otherwise."""
    watching = portsup.start("status", "--watch", PORTSUP_JSON=json_too)
    wait_until(lambda: watching.stdout.count("instance  service") >= 2, 10, "two looks")
    watching.interrupt()
    assert watching.wait() == 130
    assert watching.stderr == ""


def test_status_watch_redraws_in_place(instance: Instance, portsup_home: Home, tmp_path: Path) -> None:
    """On a terminal the next look takes the last one's place, in colour, and Ctrl-C leaves it there."""
    environ = {**portsup_home.environ, "TERM": "xterm-256color", "NO_COLOR": ""}
    with closing(Terminal([*COMMAND, "status", "--watch"], tmp_path, environ)) as terminal:
        wait_until(lambda: "RUNNING" in terminal.rows[-1], 15, "the first look")
        instance.services = (instance.services[0], instance.services[1]._replace(state="STOPPED"))
        wait_until(lambda: "STOPPED" in terminal.rows[-1], 15, "the next one")
        terminal.type(CTRL_C)
        assert terminal.wait() == 130
        assert "\x1b[32mRUNNING" in terminal.screen
        assert [row.split()[0] for row in terminal.rows] == ["instance", "1", "1"]


def test_status_of_none(portsup: Portsup, config: Path) -> None:
    """An empty answer is an answer, unless one was named."""
    done = portsup.run("status")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"no instance of {config.parent} is up; start one with `portsup up`\n"
    assert json.loads(portsup.run("status", "--json").stdout) == document([])
    assert portsup.run("status", "-i", "1").returncode == 1


def test_status_outside_of_any_worktree(portsup: Portsup) -> None:
    """There is no worktree's instance to show."""
    done = portsup.run("status")
    assert done.returncode == 78 and "services.toml" in done.stderr


def test_ps_lists_the_machine(instance: Instance, second: Instance, portsup: Portsup, tmp_path: Path) -> None:
    """From any folder; a job that is done counts as up."""
    instance.services = (*instance.services, unit("migrate", 6020, "EXITED", exit="code 0"))
    second.services = (unit("api", 6100), unit("web", 6110, "FATAL"))
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    rows = portsup.run("ps", cwd=outside).stdout.splitlines()[1:]
    worktree = str(tmp_path.resolve())
    assert [row.split()[:7] for row in rows] == [
        ["qwen", "1", "running", "6000", worktree, str(os.getpid()), "3/3"],
        ["qwen", "2", "running", "6100", worktree, str(os.getpid()), "1/2"],
    ]
    listed = portsup.ask("ps", cwd=outside)["instances"]
    assert [(row["instance"], row["ready"], row["total"]) for row in listed] == [(1, 3, 3), (2, 1, 2)]
    age = os_facts.age(second.record.supervisor)
    assert all(abs(row["age_s"] - age) < 60 and row["uid"] == os.getuid() for row in listed)


def test_ps_shows_what_does_not_answer(instance: Instance, portsup: Portsup) -> None:
    """With what its record says."""
    instance.hang_up()
    (row,) = portsup.ask("ps")["instances"]
    assert (row["state"], row["ready"], row["total"], row["base_port"]) == ("unreachable", None, None, 6000)


# down


def test_down_returns_when_everything_is_gone(instance: Instance, portsup: Portsup) -> None:
    """Not before the last lock file and the socket."""
    down = portsup.start("down")
    wait_until(lambda: instance.was_asked("down"), 10, "the call")
    for end in (instance.instance_file.unlink, instance.port_file.unlink, instance.hang_up):
        with pytest.raises(subprocess.TimeoutExpired):
            down.wait(0.2)
        end()
    assert down.wait() == 0
    assert down.stderr.startswith("qwen instance 1 is down (") and down.stdout == ""


def test_down_of_all(instance: Instance, second: Instance, portsup: Portsup) -> None:
    """All are asked before the first is waited for."""
    down = portsup.start("down", "--all")
    wait_until(lambda: second.was_asked("down") and instance.was_asked("down"), 10, "both calls")
    for one in (second, instance):
        one.instance_file.unlink()
        one.port_file.unlink()
        one.hang_up()
    assert down.wait() == 0
    assert [line.split(" is down")[0] for line in down.stderr.splitlines()] == [
        "qwen instance 1",
        "qwen instance 2",
    ]


def test_down_of_several_asks_which(instance: Instance, second: Instance, portsup: Portsup) -> None:
    """And touches none."""
    done = portsup.run("down")
    assert done.returncode == 2
    assert "  instance 1: running, pid" in done.stderr and "  instance 2: running, pid" in done.stderr
    assert not instance.was_asked("down") and not second.was_asked("down")


def test_down_names_what_is_left(instance: Instance, portsup: Portsup) -> None:
    """After its time is over."""
    done = portsup.run("down", "--timeout", "0.2")
    assert done.returncode == 1
    assert str(instance.instance_file) in done.stderr


def test_down_of_a_worktree_whose_file_is_gone(instance: Instance, config: Path, portsup: Portsup) -> None:
    """services.toml is needed to start an instance, not to stop one."""
    config.unlink()
    down = portsup.start("down")
    wait_until(lambda: instance.was_asked("down"), 10, "the call")
    instance.instance_file.unlink()
    instance.port_file.unlink()
    instance.hang_up()
    assert down.wait() == 0


@pytest.mark.slow
def test_down_of_a_supervisor_that_dies_meanwhile(portsup_home: Home, config: Path, portsup: Portsup) -> None:
    """With nobody left to clear up, prune is named soon, not after a minute."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as supervisor:
        owner = os_facts.owner(supervisor.pid)
        running = Instance(portsup_home, config, supervisor=owner)
        try:
            down = portsup.start("down")
            wait_until(lambda: running.was_asked("down"), 10, "the call")
            supervisor.kill()
            assert down.wait(10) == 1
        finally:
            supervisor.kill()
            running.close()
    assert "is dead" in down.stderr and "`portsup prune`" in down.stderr


def test_down_of_none_at_all(portsup: Portsup, config: Path) -> None:
    """One is missed, all are fine."""
    assert portsup.run("down").returncode == 1
    done = portsup.run("down", "--all")
    assert done.returncode == 0 and "is up" in done.stderr


# start, stop, restart


@pytest.mark.parametrize("command", ["start", "stop", "restart"])
def test_units_are_asked_and_shown(command: str, instance: Instance, portsup: Portsup) -> None:
    """The states that the instance answers, without doubles."""
    after = unit("api", 6000, "STOPPED") if command == "stop" else unit("api", 6000)
    instance.answers[command] = {"services": [after.to_json()]}
    done = portsup.run(command, "api", "api")
    expected = "api STOPPED\n" if command == "stop" else "api RUNNING http://127.0.0.1:6000\n"
    assert (done.returncode, done.stdout) == (0, expected)
    assert instance.calls[-1] == (command, {"services": ["api"]})


@pytest.mark.parametrize(
    ("state", "ended", "code"),
    [
        ("FATAL", "code 1", 1),
        ("EXITED", "code 1", 1),
        ("EXITED", "code 0", 0),
        ("STARTING", None, 1),
        ("PENDING", None, 1),
        ("STOPPED", None, 1),
    ],
)
@pytest.mark.parametrize("command", ["start", "restart"])
def test_a_unit_that_is_not_up_is_exit_1(
    command: str, state: str, ended: str | None, code: int, instance: Instance, portsup: Portsup
) -> None:
    """Also as JSON; a job that is done is as good as one that runs."""
    after = unit("api", 6000, state, exit=ended, reason="because")
    instance.answers[command] = {"services": [after.to_json()]}
    done = portsup.run(command, "api")
    assert (done.returncode, done.stdout) == (code, f"api {state}: because\n")
    done = portsup.run(command, "api", "--json")
    assert done.returncode == code
    assert json.loads(done.stdout) == {"schema": 1, "services": [after.to_json()]}


@pytest.mark.parametrize(
    ("state", "code"), [("STOPPED", 0), ("EXITED", 0), ("FATAL", 0), ("STOPPING", 1), ("RUNNING", 1)]
)
def test_a_unit_that_is_not_over_is_exit_1(
    state: str, code: int, instance: Instance, portsup: Portsup
) -> None:
    """`stop` has what it wants when nothing of the service is left."""
    instance.answers["stop"] = {"services": [unit("api", 6000, state, exit="code 1").to_json()]}
    assert portsup.run("stop", "api").returncode == code


def test_the_instance_s_errors_are_passed_on(instance: Instance, portsup: Portsup) -> None:
    """With their exit code and hint."""
    instance.answers["restart"] = UsageError("there is no service 'x'", hint="the stack has api, web")
    done = portsup.run("restart", "x")
    assert done.returncode == 2
    assert done.stderr == "portsup: there is no service 'x'\nhint: the stack has api, web\n"


# env and exec


def test_env_in_each_format(instance: Instance, portsup: Portsup) -> None:
    """The marker of portsup's own children is never given away."""
    instance.answers["env"] = {"PORT": "6000", "TEXT": "a b", "PORTSUP_UNIT": "x"}
    assert portsup.run("env").stdout == 'PORT="6000"\nTEXT="a b"\n'
    assert portsup.run("env", "--format", "shell").stdout == "export PORT=6000\nexport TEXT='a b'\n"
    assert portsup.ask("env", "api") == {"PORT": "6000", "TEXT": "a b"}
    assert instance.calls[-1] == ("env", {"service": "api"})


def test_env_keeps_bytes_that_are_no_text(instance: Instance, portsup: Portsup) -> None:
    """A path need not be UTF-8."""
    instance.answers["env"] = {"P": os.fsdecode(b"/\xff")}
    done = subprocess.run(
        [sys.executable, "-m", "supervisor", "env", "--format", "shell"],
        cwd=portsup.cwd,
        env=portsup.home.environ,
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert done.stdout == b"export P='/\xff'\n"


SHOW = """
import os, sys
print(*map(os.environ.get, ["PORT", "MINE", "PORTSUP_UNIT"]), sys.argv[1:])
"""


def test_exec_runs_with_the_variables_on_top(instance: Instance, portsup: Portsup) -> None:
    """Beside the caller's own; arguments are the command's, also what looks like an option."""
    instance.answers["env"] = {"PORT": "6000", "PORTSUP_UNIT": "x"}
    done = portsup.run(
        "exec", "--service", "api", "--", sys.executable, "-c", SHOW, "-i", "--", "--help", MINE="1", PORT="1"
    )
    assert done.stdout == "6000 1 None ['-i', '--', '--help']\n"
    assert instance.calls[-1] == ("env", {"service": "api"})


def test_exec_passes_the_exit_code_on(instance: Instance, portsup: Portsup) -> None:
    """It is the command from then on."""
    instance.answers["env"] = {}
    assert portsup.run("exec", "sh", "-c", "exit 7").returncode == 7


def test_exec_hands_down_a_default_sigpipe(instance: Instance, portsup: Portsup) -> None:
    """Python ignores it, and a command that inherited that would write on into a closed pipe."""
    instance.answers["env"] = {}
    assert portsup.run("exec", "sh", "-c", "kill -PIPE $$; echo still here").returncode == -signal.SIGPIPE


@pytest.mark.parametrize(("mode", "name", "code"), [(None, "no-such-command", 127), (0o600, "./tool", 126)])
def test_exec_of_what_cannot_run(
    mode: int | None, name: str, code: int, instance: Instance, portsup: Portsup
) -> None:
    """The codes that shells use, with a sentence."""
    instance.answers["env"] = {}
    if mode is not None:
        tool = portsup.cwd / name
        tool.touch()
        tool.chmod(mode)
    done = portsup.run("exec", "--", name)
    assert done.returncode == code
    assert done.stderr.startswith(f"portsup: cannot run {name}: ")


# logs


def log(instance: Instance, service: str) -> Path:
    return paths.service_log(Path(instance.record.logs), service)


def test_one_log_is_printed_byte_for_byte(instance: Instance, portsup: Portsup) -> None:
    """Whatever it holds, and as many lines as wanted."""
    log(instance, "api").write_bytes(b"one\n\xff\0\x1b[31m\nend")
    command = [sys.executable, "-m", "supervisor", "logs", "api", "-n", "2"]
    done = subprocess.run(
        command, cwd=portsup.cwd, env=portsup.home.environ, capture_output=True, timeout=30, check=True
    )
    assert done.stdout == b"\xff\0\x1b[31m\nend"


def test_several_logs_have_prefixes(instance: Instance, portsup: Portsup) -> None:
    """In order; a service without a file has printed nothing; an unfinished line is ended."""
    instance.services = (unit("api", 6000), unit("worker", 6010), unit("quiet", 6020))
    log(instance, "api").write_text("1\n2\n3\n")
    log(instance, "worker").write_text("half")
    assert portsup.run("logs", "-n", "2").stdout == "api    | 2\napi    | 3\nworker | half\n"


def old_lines(instance: Instance, service: str, *lines: tuple[float, str]) -> None:
    """A log whose lines were printed so many seconds ago."""
    path, now = log(instance, service), time.time()
    path.write_text("".join(f"{line}\n" for _, line in lines))
    times, offset = TimesWriter(path, path.stat().st_ino), 0
    for ago, line in lines:
        times.add(offset, round((now - ago) * 1000))
        offset += len(line) + 1
    times.close()


def test_logs_by_time(instance: Instance, portsup: Portsup) -> None:
    """Merged, from a moment on, and both limits at once; each line alone if it is asked for as JSON."""
    old_lines(instance, "api", (7200, "a1"), (3000, "a2"), (10, "a3"))
    old_lines(instance, "web", (5000, "w1"), (100, "w2"))

    def shown(*arguments: str, **environ: Any) -> list[str]:
        done = portsup.run("logs", *arguments, **environ)
        assert (done.returncode, done.stderr) == (0, "")
        return [line.split()[-1] for line in done.stdout.splitlines()]

    assert shown() == ["a1", "w1", "a2", "w2", "a3"]
    assert shown("--since", "1h") == ["a2", "w2", "a3"]
    assert shown("--since", "1h", "-n", "1") == ["w2", "a3"]
    assert shown("--since", "1h", PORTSUP_LINES="1") == ["a2", "w2", "a3"]
    assert shown(PORTSUP_SINCE="1h", PORTSUP_LINES="1") == ["w2", "a3"]
    assert shown("-n", "2", PORTSUP_SINCE="1h") == ["a2", "w2", "a3"]
    assert shown("api", "--since", "1h") == ["a2", "a3"]
    assert shown("--since", "5s") == []
    stamped = portsup.run("logs", "api", "-t", "-n", "1", PORTSUP_JSON="1").stdout
    assert (
        stamped.endswith(" a3\n") and abs(datetime.fromisoformat(stamped[:29]).timestamp() - time.time()) < 60
    )
    (told,) = [
        json.loads(line) for line in portsup.run("logs", "web", "-n", "1", "--json").stdout.splitlines()
    ]
    assert (told["service"], told["instance"], told["line"]) == ("web", 1, "w2")


def test_lines_whose_times_nobody_knows(instance: Instance, portsup: Portsup) -> None:
    """Shown without them, and left out where times decide, which is said."""
    log(instance, "api").write_text("one\n")
    assert portsup.run("logs", "api", "-t").stdout == f"-{' ' * 29}one\n"
    assert json.loads(portsup.run("logs", "api", "--json").stdout)["time"] is None
    done = portsup.run("logs", "api", "--since", "1h")
    assert done.stdout == ""
    assert done.stderr == "api printed lines at times that nobody knows: they are left out\n"
    os.utime(log(instance, "api"), (0, 0))
    assert portsup.run("logs", "api", "--since", "1h").stderr == "", "none of them can be meant"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--json", "-t"), "--json has the times already: leave out --timestamps"),
        (("--since", "soon"), "'soon' is no time"),
    ],
)
def test_logs_that_cannot_be_meant(
    arguments: tuple[str, ...], told: str, instance: Instance, portsup: Portsup
) -> None:
    """Two forms at once, and no moment."""
    done = portsup.run("logs", *arguments)
    assert done.returncode == 2 and told in done.stderr


def test_a_silent_service_is_told(instance: Instance, portsup: Portsup) -> None:
    """With an empty file or none, where it was asked for or where nobody has said anything."""
    log(instance, "web").touch()
    for arguments in (("api", "web"), ()):
        done = portsup.run("logs", *arguments)
        assert (done.returncode, done.stdout) == (0, "")
        assert done.stderr == "api has printed nothing\nweb has printed nothing\n"
    log(instance, "api").write_text("a word\n")
    assert portsup.run("logs").stderr == ""
    assert portsup.run("logs", "web").stderr == "web has printed nothing\n"
    assert portsup.run("logs", "api", "-n", "0").stderr == ""


def test_logs_of_an_unknown_service(instance: Instance, portsup: Portsup) -> None:
    """The names are told."""
    done = portsup.run("logs", "api", "wbe")
    assert done.returncode == 2
    assert done.stderr == "portsup: there is no service 'wbe'\nhint: there are: api, web\n"


def test_logs_of_the_last_run(portsup: Portsup, config: Path, portsup_home: Home) -> None:
    """Found by services.toml; of several numbers the one that wrote last."""
    config.write_text('[stack]\nname = "qwen"\n[services.api]\ncommand = "true"\n')
    for number, written_at in ((1, 3000), (2, 1000)):
        file = paths.service_log(paths.log_folder(paths.instance_folder(config, "qwen", number)), "api")
        file.parent.mkdir(parents=True)
        file.write_text(f"from {number}\n")
        os.utime(file, (written_at, written_at))
    done = portsup.run("logs")
    assert done.stdout == "from 1\n"
    assert done.stderr == "instance 1 is not up; this is what it printed last\n"
    assert portsup.run("logs", "-i", "2").stdout == "from 2\n"
    never = portsup.run("logs", "-i", "3")
    assert never.returncode == 1
    assert never.stderr.startswith(f"portsup: instance 3 of {config.parent} never ran\n")


def test_logs_of_a_dead_supervisor(portsup: Portsup, portsup_home: Home, config: Path) -> None:
    """Its record still says where they are."""
    me = _myself()
    dead = Instance(portsup_home, config, supervisor=Owner(me.pid, me.started - 1))
    try:
        dead.hang_up()
        log(dead, "api").write_text("last words\n")
        assert portsup.run("logs").stdout == "last words\n"
    finally:
        dead.close()


def test_follow_goes_on_until_ctrl_c(instance: Instance, portsup: Portsup) -> None:
    """Through an unfinished line and a truncated file."""
    log(instance, "api").write_text("old\n")
    log(instance, "web").touch()
    following = portsup.start("logs", "-f")
    wait_until(lambda: following.stdout == "api | old\n", 10, "the old line")
    with log(instance, "api").open("a") as file:
        file.write("un")
        file.flush()
        log(instance, "web").write_text("between\n")
        wait_until(lambda: following.stdout.endswith("web | between\n"), 10, "the other service")
        file.write("finished\n")
    wait_until(lambda: following.stdout.endswith("api | unfinished\n"), 10, "the finished line")
    log(instance, "api").write_text("new\n")
    wait_until(lambda: following.stdout.endswith("api | new\n"), 10, "the truncated file's line")
    following.interrupt()
    assert following.wait() == 130
    assert following.stderr == ""
    assert following.stdout == "api | old\nweb | between\napi | unfinished\napi | new\n"


def test_follow_ends_when_nobody_reads(instance: Instance, portsup: Portsup) -> None:
    """Also while nothing is printed."""
    log(instance, "api").write_text("line\n")
    command = [sys.executable, "-m", "supervisor", "logs", "api", "-f"]
    with subprocess.Popen(
        command,
        cwd=portsup.cwd,
        env=portsup.home.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as following:
        try:
            assert following.stdout is not None and following.stderr is not None
            assert following.stdout.readline() == "line\n"
            following.stdout.close()
            assert following.wait(10) == 141
            assert following.stderr.read() == ""
        finally:
            following.kill()


# stdout that takes nothing


def run_into(
    stdout: int, portsup: Portsup, *arguments: str, unbuffered: bool = False
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "supervisor", *arguments]
    return subprocess.run(
        command,
        cwd=portsup.cwd,
        env={**portsup.home.environ, "PYTHONUNBUFFERED": "1" if unbuffered else ""},
        stdout=stdout,
        stderr=subprocess.PIPE,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("unbuffered", [False, True], ids=["", "PYTHONUNBUFFERED"])
@pytest.mark.parametrize("arguments", [("status",), ("status", "--json"), ("ps",), ("--help",)], ids=" ".join)
def test_a_reader_that_went_away(
    arguments: tuple[str, ...], unbuffered: bool, instance: Instance, portsup: Portsup
) -> None:
    """Exit 141 in silence, as `git log | head` does."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = run_into(writer, portsup, *arguments, unbuffered=unbuffered)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("unbuffered", [False, True], ids=["", "PYTHONUNBUFFERED"])
@pytest.mark.parametrize(
    "arguments", [("status", "--json"), ("--help",), ("up", "--help"), ("--version",)], ids=" ".join
)
def test_a_full_disk(
    arguments: tuple[str, ...], unbuffered: bool, instance: Instance, portsup: Portsup
) -> None:
    """An error, and no traceback."""
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        done = run_into(full, portsup, *arguments, unbuffered=unbuffered)
    finally:
        os.close(full)
    assert done.returncode == 1
    assert done.stderr == b"portsup: cannot write to standard output: No space left on device\n"


def test_a_closed_stdout(instance: Instance, portsup: Portsup) -> None:
    """`>&-` asks for nothing to be printed."""
    done = subprocess.run(
        ["sh", "-c", '"$0" -m supervisor status --json >&-', sys.executable],
        cwd=portsup.cwd,
        env=portsup.home.environ,
        stderr=subprocess.PIPE,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
