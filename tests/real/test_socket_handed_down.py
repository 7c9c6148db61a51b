"""`socket = true` in a real instance: what the child finds, and a port that listens throughout."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import psutil
import pytest
from harness import Home, Portsup, foreigner, is_bindable, wait_until, write_stack
from process_help import CHILDREN, PYTHON, pid_in

from supervisor.platform import os_facts
from supervisor.supervise.handover import UNHEARD

HANDED = [*PYTHON, str(CHILDREN / "handed.py")]
LOOK = """
import json, os, sys
with open(sys.argv[1], "w") as file:
    json.dump([dict(os.environ), [int(name) for name in os.listdir("/proc/self/fd")]], file)
"""


def service(**keys: Any) -> dict[str, Any]:
    """A server on the socket that it gets."""
    return {
        "command": HANDED,
        "pool": {"offset": 0, "size": 2},
        "socket": True,
        "ready": {"http": "/"},
        "stop": {"timeout": "2s"},
        **keys,
    }


class Asked:
    """A GET under way: the connection stands, and its request has been sent."""

    def __init__(self, port: int, path: str = "/") -> None:
        self._connection = socket.create_connection(("127.0.0.1", port), timeout=15)
        self._connection.sendall(f"GET {path} HTTP/1.1\r\n\r\n".encode())

    def answer(self) -> dict[str, Any]:
        with self._connection, self._connection.makefile("rb") as answer:
            facts = json.loads(answer.read().partition(b"\r\n\r\n")[2])
        assert isinstance(facts, dict)
        return facts


def ask(port: int, path: str = "/") -> dict[str, Any]:
    return Asked(port, path).answer()


def up(portsup: Portsup, base: int, services: Mapping[str, Any]) -> None:
    write_stack(portsup.cwd, services, base_port=base)
    portsup.up("-i", "1")


def last_event(home: Home) -> object:
    return home.events()[-1]["event"]


def refuses(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) != 0


def joins(port: int) -> bool:
    """Whether a stranger who shares ports with everybody can listen there."""
    with socket.socket() as stranger:
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            stranger.setsockopt(socket.SOL_SOCKET, option, 1)
        try:
            stranger.bind(("127.0.0.1", port))
            stranger.listen()
        except OSError:
            return False
        return True


def test_what_the_child_finds(portsup: Portsup, ports_block: int) -> None:
    """Descriptor 3, its own pid, the service's name, and the port as ever; no other socket of ours."""
    wanted = service(env={"FD": "${port_fd}"}, pools={"admin": {"offset": 10, "size": 1}})
    up(portsup, ports_block, {"web": wanted})
    (found,) = portsup.wait_for_services(1)["services"]
    facts = ask(ports_block)
    pid = str(found["pid"])
    assert facts["listen"] == {"LISTEN_PID": pid, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "web"}
    assert (str(facts["pid"]), facts["port"], facts["fd"]) == (pid, str(ports_block), "3")
    assert facts["address"] == ["127.0.0.1", ports_block]
    assert [number for number in facts["descriptors"] if number < 64][:4] == [0, 1, 2, 3]
    assert (found["port"], found["shield"], found["url"]) == (
        ports_block,
        "up",
        f"http://127.0.0.1:{ports_block}",
    )
    assert refuses(ports_block + 10)  # a further pool's port is the child's to bind


def test_nobody_else_has_any_of_it(portsup: Portsup, ports_block: int) -> None:
    """Neither another service nor a ready command: no variable, also none of portsup's caller, and no
    socket."""
    look = [*PYTHON, "-c", LOOK]
    services = {
        "web": service(ready={"exec": [*look, "ready"]}),
        "job": {"command": [*look, "job"], "depends_on": ["web"]},
    }
    write_stack(portsup.cwd, services, base_port=ports_block)
    portsup.up("-i", "1", LISTEN_FDS="1", LISTEN_PID="1", LISTEN_FDNAMES="outer")
    portsup.wait_for_services(1, ["RUNNING", "EXITED"])
    portsup.wait_for_service(1, "job", "EXITED")
    for name in ("ready", "job"):
        environ, descriptors = json.loads((portsup.cwd / name).read_text())
        assert not [variable for variable in environ if variable.startswith("LISTEN_")]
        opened_by_the_look = 2  # its file, and the folder of descriptors
        assert len([number for number in descriptors if 2 < number < 64]) == opened_by_the_look


def test_connections_wait_for_the_first_child(portsup: Portsup, ports_block: int) -> None:
    """The port listens from the claim on, while its service waits for another one."""
    services = {
        "gate": {
            "command": ["sh", "-c", "until test -e open; do sleep 0.02; done; echo go; exec sleep 600"],
            "ready": {"log": "go"},
        },
        "web": service(depends_on=["gate"]),
    }
    up(portsup, ports_block, services)
    wait_until(lambda: not refuses(ports_block), 10)
    waiting = Asked(ports_block)
    assert not joins(ports_block)
    (portsup.cwd / "open").touch()
    assert waiting.answer()["port"] == str(ports_block)


@pytest.mark.slow
def test_a_crash_refuses_nobody(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """What comes while no child runs waits in BACKOFF, and the next child serves it, on the same socket."""
    up(portsup, ports_block, {"web": service(backoff={"initial": "2s"})})
    portsup.wait_for_services(1)
    first = ask(ports_block, "/die")["pid"]
    wait_until(lambda: last_event(portsup_home) == "unit.backoff", 15)
    waiting = [Asked(ports_block) for _ in range(20)]
    assert not joins(ports_block)
    answers = {asked.answer()["pid"] for asked in waiting}
    (found,) = portsup.wait_for_services(1)["services"]
    assert answers == {found["pid"]} != {first}
    assert (found["port"], found["shield"], found["restarts"]) == (ports_block, "up", 1)


def test_a_restart_hands_over(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """What waits for a child that is busy is served by it before it gets its stop signal, what comes later by
    the next one, and nobody can join the port afterwards."""
    up(portsup, ports_block, {"web": service()})
    (before,) = portsup.wait_for_services(1)["services"]
    with socket.create_connection(("127.0.0.1", ports_block)) as slow:  # it serves one at a time
        wait_until(lambda: accepted(ports_block), 5)
        waiting = [Asked(ports_block) for _ in range(3)]
        restart = portsup.start("restart", "web")
        wait_until(lambda: last_event(portsup_home) == "unit.stopping", 15)
        slow.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert {asked.answer()["pid"] for asked in waiting} == {before["pid"]}
    assert restart.wait() == 0
    (after,) = portsup.wait_for_services(1)["services"]
    assert ask(ports_block)["pid"] == after["pid"] != before["pid"]
    assert len(os_facts.listeners((ports_block,))) == 1
    assert not joins(ports_block)
    assert (after["port"], after["shield"], after["restarts"]) == (ports_block, "up", 0)
    assert [event for event in portsup_home.events() if event["level"] == "warning"] == []


def accepted(port: int) -> bool:
    """Whether somebody has accepted a connection to `port`: then it is in a process's hands."""
    held = [found for found in psutil.net_connections("tcp4") if found.laddr and found.laddr.port == port]
    return any(found.status == psutil.CONN_ESTABLISHED and found.pid is not None for found in held)


def hang(pid: int) -> None:
    """Once it is stopped it doesn't accept, also if it was about to."""
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED, 5)


def test_a_hung_child_is_restarted_all_the_same(portsup: Portsup, ports_block: int) -> None:
    """What waits for one that accepts nothing any more is served by the next one."""
    up(portsup, ports_block, {"web": service(stop={"timeout": "300ms"})})
    (before,) = portsup.wait_for_services(1)["services"]
    hang(before["pid"])
    waiting = [Asked(ports_block) for _ in range(5)]
    assert portsup.run("restart", "web").returncode == 0
    (after,) = portsup.wait_for_services(1)["services"]
    assert {asked.answer()["pid"] for asked in waiting} == {after["pid"]} != {before["pid"]}
    assert not joins(ports_block)


def test_a_stop_during_a_hand_over(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """`down` while a child that has hung is being relieved: all is given back."""
    up(portsup, ports_block, {"web": service(stop={"timeout": "300ms"})})
    (before,) = portsup.wait_for_services(1)["services"]
    hang(before["pid"])
    with socket.create_connection(("127.0.0.1", ports_block)):
        portsup.start("restart", "web")
        wait_until(lambda: last_event(portsup_home) == "unit.stopping", 15)
        assert portsup.run("down", "-i", "1").returncode == 0
    assert portsup_home.lock_files() == []
    assert is_bindable(ports_block)


def test_a_stop_waits_for_no_hand_over(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """Nobody is to be relieved for: the child is asked to end at once, whoever is connected."""
    up(portsup, ports_block, {"web": service()})
    portsup.wait_for_services(1)
    with socket.create_connection(("127.0.0.1", ports_block)):
        portsup.start("restart", "web")
        wait_until(lambda: last_event(portsup_home) == "unit.stopping", 15)
        assert portsup.run("stop", "web").returncode == 0
    times = {event["event"]: event["time"] for event in portsup_home.events()}
    waited = datetime.fromisoformat(times["unit.stopped"]) - datetime.fromisoformat(times["unit.stopping"])
    assert waited.total_seconds() < UNHEARD


def test_stop_gives_port_and_socket_back(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """A stranger may have the port then, and `start` takes the pool's next one."""
    up(portsup, ports_block, {"web": service(), "other": {"pool": {"offset": 20, "size": 1}}})
    portsup.wait_for_services(1)
    assert portsup.run("stop", "web").returncode == 0
    assert f"port-{ports_block}.lock.json" not in portsup_home.lock_files()
    assert is_bindable(ports_block)
    with foreigner(ports_block):
        assert portsup.run("start", "web").returncode == 0
        assert ask(ports_block + 1)["address"] == ["127.0.0.1", ports_block + 1]


def test_down_leaves_nothing(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """Neither lock nor listener, also of a service that never ran."""
    write_stack(
        portsup.cwd,
        {"web": service(), "never": service(pool={"offset": 4, "size": 1})},
        base_port=ports_block,
    )
    assert portsup.run("up", "-d", "--wait", "-i", "1", "web").returncode == 0
    assert not refuses(ports_block + 4)
    assert portsup.run("down", "-i", "1").returncode == 0
    assert portsup_home.lock_files() == []
    assert is_bindable(ports_block) and is_bindable(ports_block + 4)


def test_a_killed_supervisor_takes_the_socket_along(
    portsup: Portsup, portsup_home: Home, ports_block: int
) -> None:
    """The guard ends the tree, and with it the last copy of the socket."""
    up(portsup, ports_block, {"web": service()})
    portsup.wait_for_services(1)
    os.kill(portsup.instance(1)["supervisor"]["pid"], signal.SIGKILL)
    wait_until(lambda: portsup_home.lock_files() == [] and not portsup_home.children(), 5)
    assert is_bindable(ports_block)


@pytest.mark.parametrize("idle", [False, True])
def test_a_service_that_daemonises_itself(portsup: Portsup, ports_block: int, idle: bool) -> None:
    """Whoever of its tree has the socket makes it one that goes on; the supervisor's own copy doesn't."""
    wanted = service(command=[*HANDED, ".", *(["idle"] if idle else [])], restart="no")
    wanted.pop("ready")
    up(portsup, ports_block, {"web": wanted, "other": {"pool": {"offset": 20, "size": 1}}})
    worker = pid_in(portsup.cwd / "worker")
    if idle:
        portsup.wait_for_services(1, ["RUNNING", "EXITED"])
        portsup.wait_for_service(1, "web", "EXITED")
        assert not psutil.pid_exists(worker)
        assert is_bindable(ports_block)
    else:
        assert ask(ports_block)["pid"] == worker
        portsup.wait_for_services(1)
        portsup.wait_for_service(1, "web", "RUNNING")


def test_who_is_spared_does_not_keep_the_port(portsup: Portsup, ports_block: int) -> None:
    """A copy of the socket in a process that outlives a stop: the port is free all the same."""
    keeper = f"sleep 600 & echo $! >> spared; exec {shlex.join(HANDED)}"
    services = {
        "web": service(command=keeper, shell=True, stop={"mode": "process"}),
        "other": {"pool": {"offset": 20, "size": 1}},
    }
    up(portsup, ports_block, services)
    portsup.wait_for_services(1)
    try:
        assert portsup.run("restart", "web").returncode == 0
        assert ask(ports_block)["port"] == str(ports_block)
        assert len(os_facts.listeners((ports_block,))) == 1
        assert portsup.run("stop", "web").returncode == 0
        assert is_bindable(ports_block)
    finally:
        spared = [psutil.Process(int(pid)) for pid in (portsup.cwd / "spared").read_text().split()]
        for process in spared:
            process.kill()
    assert len(spared) == 2


@pytest.mark.slow
def test_a_lost_shield_rotates(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """The next child has a socket on another port of the pool, and the old port is free."""
    up(portsup, ports_block, {"web": service(on_lost="rotate")})
    portsup.wait_for_services(1)
    (portsup_home.locks / f"port-{ports_block}.lock.json").unlink()
    wait_until(lambda: not refuses(ports_block + 1), 15)
    facts = ask(ports_block + 1)
    assert (facts["port"], facts["address"]) == (str(ports_block + 1), ["127.0.0.1", ports_block + 1])
    assert is_bindable(ports_block)


def test_a_command_that_is_not_there(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """FATAL with the reason as for any other service, and the port doesn't go on listening."""
    write_stack(portsup.cwd, {"web": service(command=["no-such-program"])}, base_port=ports_block)
    refused = portsup.run("up", "-i", "1")
    assert refused.returncode == 1
    assert "cannot start no-such-program: command not found" in refused.stderr
    assert is_bindable(ports_block)
