"""`portsup up`: its options, and what its children get."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import psutil
from harness import Home, Portsup, is_bindable, wait_until, write_stack

PYTHON = [sys.executable, "-I", "-S"]
WAITS = [*PYTHON, "-c", "import signal; print('waiting', flush=True); signal.pause()"]


def test_only_some_services(portsup: Portsup, ports_block: int) -> None:
    """`up SERVICE` starts it and what it depends on; the others are STOPPED until `start`."""
    services = {
        "db": {"pool": {"offset": 0, "size": 1}},
        "web": {"pool": {"offset": 10, "size": 1}, "depends_on": ["db"]},
        "docs": {"pool": {"offset": 20, "size": 1}},
    }
    write_stack(portsup.cwd, services, base_port=ports_block)
    assert portsup.run("up", "-i", "1", "--wait", "web").returncode == 0
    states = {service["name"]: service["state"] for service in portsup.instance(1)["services"]}
    assert states == {"db": "RUNNING", "web": "RUNNING", "docs": "STOPPED"}
    assert portsup.run("start", "docs").returncode == 0
    assert portsup.wait_for_services(1)


def test_a_service_that_was_not_started_is_stopped(
    portsup: Portsup, portsup_home: Home, ports_block: int
) -> None:
    """It holds its port, for others to be told, until `stop` gives that back; `start` claims it anew."""
    pools = {name: {"pool": {"offset": place, "size": 1}} for place, name in enumerate(("web", "docs"))}
    write_stack(portsup.cwd, pools, base_port=ports_block)
    assert portsup.run("up", "-i", "1", "--wait", "web").returncode == 0
    lock = f"port-{ports_block + 1}.lock.json"
    assert lock in portsup_home.lock_files()
    assert portsup.run("stop", "docs").returncode == 0
    assert lock not in portsup_home.lock_files()
    assert portsup.run("start", "docs").returncode == 0
    assert lock in portsup_home.lock_files()
    assert portsup.run("down").returncode == 0


def test_an_unknown_service(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """Exit 2 with the names that there are, and nothing locked."""
    write_stack(portsup.cwd, {"web": {"pool": {"offset": 0, "size": 1}}}, base_port=ports_block)
    refused = portsup.run("up", "-i", "1", "wbe")
    assert refused.returncode == 2
    assert "wbe" in refused.stderr
    assert "web" in refused.stderr
    assert portsup_home.lock_files() == []


def test_several_together(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """`--count 3` in the foreground: names carry the number, one Ctrl-C stops all in an orderly way."""
    write_stack(portsup.cwd, {"web": {"pool": {"offset": 0, "size": 1}}}, base_port=ports_block)
    running = portsup.up("-i", "1", "--count", "3")
    for number in (1, 2, 3):
        portsup.wait_for_services(number)
    listening = [f"{number}/web     | web listening" for number in (1, 2, 3)]
    wait_until(lambda: all(line in running.stdout for line in listening), 5)
    running.interrupt()
    assert running.wait() == 130
    assert running.stderr.count("| ") >= 9
    assert running.stderr.count("stopping") == 3
    assert portsup_home.lock_files() == []
    assert all(is_bindable(ports_block + i * 100) for i in range(3))


def test_several_together_or_none(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """When one of them finds no port, the others are stopped, in the foreground and in the background."""
    pool = {"ports": [ports_block + 900, ports_block + 901]}
    write_stack(portsup.cwd, {"web": {"pool": pool}}, base_port=ports_block)
    for arguments in (("--count", "3"), ("--count", "3", "-d")):
        refused = portsup.run("up", "-i", "1", *arguments)
        assert refused.returncode == 69
        assert "no free port for web" in refused.stderr
        assert portsup_home.lock_files() == []
        assert portsup_home.processes() == []


def test_the_death_of_together(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """SIGKILL to the process that holds the instances together stops them all."""
    write_stack(portsup.cwd, {"web": {"pool": {"offset": 0, "size": 1}}}, base_port=ports_block)
    running = portsup.up("-i", "1", "--count", "2")
    for number in (1, 2):
        portsup.wait_for_services(number)
    running.process.kill()
    wait_until(lambda: not portsup_home.processes(), 10)
    assert portsup_home.lock_files() == []


def test_detached_holds_nothing_of_the_caller(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """Neither guard nor supervisor nor service keeps the caller's pipes or terminal."""
    write_stack(portsup.cwd, {"web": {"pool": {"offset": 0, "size": 1}}}, base_port=ports_block)
    read_end, write_end = os.pipe()
    os.set_inheritable(write_end, True)
    try:
        assert portsup.run("up", "-i", "1", "-d").returncode == 0  # its captured pipes would never close
        os.close(write_end)
        pipe = f"pipe:[{os.fstat(read_end).st_ino}]"
        for process in portsup_home.processes():
            open_files = [entry.readlink() for entry in Path(f"/proc/{process.pid}/fd").iterdir()]
            assert Path(pipe) not in open_files
            assert process.terminal() is None
    finally:
        os.close(read_end)


SHOW = "import json, os, signal; print('env', json.dumps(dict(os.environ)), flush=True); signal.pause()"


def test_what_a_child_gets(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """Its ports, who it is, where its data lies, and where the others are."""
    services = {
        "a-b": {
            "command": [*PYTHON, "-c", SHOW],
            "pool": {"offset": 0, "size": 1},
            "pools": {"metrics": {"offset": 50, "size": 2, "env": "METRICS"}},
            "env": {"OTHER": "${web.url}", "DATA": "${data_dir}", "FROM_FILE": "${env:SECRET}"},
            "ready": {"log": "^env "},
        },
        "web": {"command": WAITS, "pool": {"offset": 10, "size": 1}, "port_env": "WEB_PORT"},
    }
    (portsup.cwd / ".env").write_text("SECRET=xyzzy\nPORT=1\n")
    write_stack(portsup.cwd, services, base_port=ports_block, env_files=[".env"])
    running = portsup.up("-i", "1", PORTSUP_UNIT="other/unit", NOTIFY_SOCKET="/nowhere")
    portsup.wait_for_services(1)
    environ = json.loads(running.stdout.split("env ", 1)[1].split("\n")[0])
    instance = portsup.instance(1)
    expected = {
        "PORT": str(ports_block),
        "METRICS": str(ports_block + 50),
        "HOST": "127.0.0.1",
        "OTHER": f"http://127.0.0.1:{ports_block + 10}",
        "FROM_FILE": "xyzzy",
        "SECRET": "xyzzy",
        "PORTSUP_INSTANCE": "1",
        "PORTSUP_INSTANCE_ID": instance["instance_id"],
        "PORTSUP_STACK": "test",
        "PORTSUP_SERVICE": "a-b",
        "PORTSUP_BASE_PORT": str(ports_block),
        "PORTSUP_A_B_PORT": str(ports_block),
        "PORTSUP_WEB_PORT": str(ports_block + 10),
        "PORTSUP_WEB_URL": f"http://127.0.0.1:{ports_block + 10}",
        "PORTSUP_UNIT": f"{instance['instance_id']}/a-b",
    }
    assert {name: environ.get(name) for name in expected} == expected
    assert environ["DATA"] == environ["PORTSUP_DATA_DIR"]
    assert Path(environ["DATA"]).is_dir()
    assert str(portsup_home.folder) in environ["DATA"]
    assert "NOTIFY_SOCKET" not in environ
    assert "WEB_PORT" not in environ


def test_no_secret_in_a_log(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """Values of environment variables appear in no file of portsup and in no message."""
    service = {"command": WAITS, "pool": {"offset": 0, "size": 1}, "env": {"API_TOKEN": "xyzzy-secret"}}
    write_stack(portsup.cwd, {"web": service}, base_port=ports_block)
    running = portsup.up("-i", "1")
    portsup.wait_for_services(1)
    said = [portsup.run(*command.split()).stdout for command in ("status", "status --json", "ps", "check")]
    running.process.terminate()
    running.wait()
    written = [path.read_text(errors="replace") for path in portsup_home.folder.rglob("*") if path.is_file()]
    assert not any("xyzzy-secret" in text for text in [*said, *written])


def test_a_broken_file_while_it_runs(portsup: Portsup, ports_block: int) -> None:
    """services.toml broken or deleted: the instance goes on, `status` and `down` work."""
    path = write_stack(portsup.cwd, {"web": {"pool": {"offset": 0, "size": 1}}}, base_port=ports_block)
    assert portsup.run("up", "-i", "1", "--wait").returncode == 0
    path.write_text("[[[")
    assert portsup.instance(1)["state"] == "running"
    path.unlink()
    assert portsup.instance(1)["state"] == "running"
    assert portsup.run("down").returncode == 0


def test_a_worker_without_a_port(portsup: Portsup, ports_block: int) -> None:
    """A service without a pool runs without a port, and says so."""
    write_stack(portsup.cwd, {"job": {"command": WAITS}}, base_port=ports_block)
    assert portsup.run("up", "-i", "1", "--wait").returncode == 0
    (job,) = portsup.instance(1)["services"]
    assert (job["state"], job["port"], job["ports"], job["url"], job["shield"]) == (
        "RUNNING",
        None,
        {},
        None,
        "none",
    )


def test_an_orphan_is_reaped(portsup: Portsup, ports_block: int) -> None:
    """A grandchild whose parent ended is adopted by the supervisor, and no zombie stays of it."""
    code = (
        "import os, signal\n"
        "read, write = os.pipe()\n"
        "if os.fork() == 0:\n"
        "    if os.fork() == 0:\n"
        "        os.close(write)\n"
        "        os.read(read, 1)\n"
        "        print('orphan', os.getpid(), os.getppid(), flush=True)\n"
        "        os._exit(0)\n"
        "    os._exit(0)\n"
        "os.wait()\n"
        "os.close(write)\n"
        "signal.pause()\n"
    )
    write_stack(portsup.cwd, {"job": {"command": [*PYTHON, "-c", code]}}, base_port=ports_block)
    running = portsup.up("-i", "1")
    supervisor = portsup.wait_for_services(1)["supervisor"]["pid"]
    line = wait_until(lambda: running.stdout.partition("orphan ")[2].partition("\n")[0], 5)
    orphan, parent = map(int, line.split())
    assert parent == supervisor
    wait_until(lambda: not psutil.pid_exists(orphan), 5)
    os.kill(running.process.pid, signal.SIGTERM)
    assert running.wait() == 143


def test_a_state_folder_that_cannot_be_written(
    portsup: Portsup, portsup_home: Home, ports_block: int
) -> None:
    """The reason and what to do, and nothing is left."""
    write_stack(portsup.cwd, {"web": {"pool": {"offset": 0, "size": 1}}}, base_port=ports_block)
    (portsup_home.folder / "state").write_text("a file, not a folder")
    refused = portsup.run("up", "-i", "1")
    assert refused.returncode == 1
    assert "Not a directory" in refused.stderr
    assert "hint: make room or repair it, or name another folder in XDG_STATE_HOME" in refused.stderr
    assert portsup_home.lock_files() == []


def test_detached_with_a_command_that_is_not_there(portsup: Portsup, ports_block: int) -> None:
    """`up -d` returns when the spawns stand: one that doesn't is exit 1, and the others stay up."""
    services = {"bad": {"command": ["no-such-program"]}, "web": {"command": WAITS}}
    write_stack(portsup.cwd, services, base_port=ports_block)
    refused = portsup.run("up", "-i", "1", "-d")
    assert refused.returncode == 1
    assert "bad is FATAL: cannot start no-such-program" in refused.stderr
    assert portsup.instance(1)["services"][1]["state"] == "RUNNING"


def test_ready_is_said_once(portsup: Portsup, portsup_home: Home, ports_block: int, tmp_path: Path) -> None:
    """Not again when a job that counts as ready ends; but when a service is ready anew."""
    until = "import os, sys, time\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.01)"
    services = {
        "job": {"command": [*PYTHON, "-c", until, str(tmp_path / "gate")]},
        "web": {"command": WAITS, "ready": {"log": "^waiting$"}},
    }
    write_stack(portsup.cwd, services, base_port=ports_block)

    def times() -> int:
        return [event["event"] for event in portsup_home.events()].count("instance.ready")

    assert portsup.run("up", "-i", "1", "--wait").returncode == 0
    (tmp_path / "gate").touch()
    portsup.wait_for_service(1, "job", "EXITED")
    assert times() == 1
    assert portsup.run("restart", "web").returncode == 0
    assert portsup.run("status").returncode == 0
    assert times() == 2
