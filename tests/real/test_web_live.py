"""What changes, told as it changes: server-sent events of a real server."""

from __future__ import annotations

import json
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
from harness import Home, Portsup, wait_until, write_stack
from stand_in import Imposter, Instance, Loop, publish, record, service, snapshot_of
from web_help import Api, greeting, refusal, serving

LIVE = "/api/v1/live"

IN_A_HURRY = """
import sys
from supervisor.loopback import serving
from supervisor.web import live, serve
live.EVERY_SECONDS = 0.1
live.WATCHERS_MOST = 5
serving.UNREAD_SECONDS = 1
serve.serve(int(sys.argv[3]), lambda line: None)
"""
"""The server, with less patience than people have."""

HURRIED = (sys.executable, "-c", IN_A_HURRY)


@pytest.fixture
def api(portsup_home: Home, ports_block: int) -> Iterator[Api]:
    with serving(portsup_home, ports_block, through=HURRIED) as running:
        yield running


class Counted(Instance):
    """Knows how often it was looked at."""

    looks = 0

    async def dispatch(self, method: str, params: Mapping[str, Any]) -> Any:
        self.looks += method == "snapshot"
        return await super().dispatch(method, params)


@pytest.fixture
def instance(loop: Loop, portsup_home: Home) -> Counted:
    """One that is watched, with an event log."""
    one = record(portsup_home.folder)
    Path(one.logs).mkdir()
    publish(portsup_home.locks, one)
    counted = Counted(one, (service("api", 6000), service("worker")))
    loop.serve(Path(one.socket), counted.dispatch)
    return counted


def say(instance: Counted, message: str) -> None:
    """What its supervisor would write to its event log."""
    line = {
        "time": "2026-01-02T03:04:05.678+00:00",
        "level": "info",
        "event": "unit.running",
        "message": message,
        "instance_id": instance.record.instance_id,
        "service": "api",
        "pid": 7,
    }
    with (Path(instance.record.logs) / "portsup.events.jsonl").open("a") as log:
        log.write(json.dumps(line) + "\n")


def test_what_comes_first(api: Api, instance: Counted, portsup_home: Home) -> None:
    """The view, what was measured before, what is measured now, and what happened last; in this order."""
    say(instance, "RUNNING")
    with api.stream(LIVE) as before:
        before.find("events")  # the first look may have been at a machine without instances
        with api.stream(LIVE) as stream:
            told = [stream.read() for _ in range(4)]
    names, (view, history, usage, events) = zip(*filter(None, told), strict=True)
    assert names == ("view", "history", "usage", "events")
    (shown,) = view["instances"]
    assert shown["services"] == [one.to_json() for one in instance.services]
    assert (view["schema"], shown["worktree"]) == (1, str(portsup_home.folder))
    assert shown["logs_readable"] is True
    assert [(one["service"], one["pool"]) for one in view["strips"]] == [("api", "port")]
    assert abs(view["time"] - usage["time"]) < 1
    assert set(history) == {"services"} and "services" in usage
    (event,) = events["events"]
    assert (event["message"], event["time"], event["pid"]) == ("RUNNING", 1767323045.678, 7)


def test_what_is_new(api: Api, instance: Counted) -> None:
    """A change is a new view, and an event is told once; uptimes alone are no news."""
    say(instance, "first")
    with api.stream(LIVE) as stream:
        stream.find("events")
        instance.services = (service("api", 6000, uptime_s=2.0), service("worker", uptime_s=2.0))
        seen = [event[0] for event in (stream.read(), stream.read()) if event]
        assert seen == ["usage", "usage"]
        instance.services = (service("api", state="STOPPED"),)
        say(instance, "second")
        view = stream.find("view")
        assert [one["state"] for one in view["instances"][0]["services"]] == ["STOPPED"]
        assert [one["message"] for one in stream.find("events")["events"]] == ["second"]


def test_many_watch_one_looks(api: Api, instance: Counted) -> None:
    """However many watch, everybody is told of the same looks; there is an end to how many may."""
    with (
        api.stream(LIVE) as first,
        api.stream(LIVE) as second,
        api.stream(LIVE),
        api.stream(LIVE),
        api.stream(LIVE),
    ):
        same = second.find("usage")["time"]
        first.find("usage", lambda data: data["time"] >= same)
        before = instance.looks
        told = [first.find("usage")["time"] for _ in range(3)]
        assert instance.looks - before <= 2 * len(told)
        assert second.find("usage")["time"] in told
        assert api.json(LIVE) == (503, refusal("5 clients watch already"))


def test_an_instance_that_does_not_answer(api: Api, portsup_home: Home) -> None:
    """It is shown as what it is."""
    publish(portsup_home.locks, record(portsup_home.folder))
    with api.stream(LIVE) as stream:
        (one,) = stream.find("view", lambda view: view["instances"])["instances"]
    assert (one["state"], one["services"], one["logs_readable"]) == ("unreachable", [], False)


def test_an_answer_that_is_none(api: Api, portsup_home: Home) -> None:
    """A number that JSON doesn't have, as another program may answer, hides no other instance."""
    one = record(portsup_home.folder)
    publish(portsup_home.locks, one)
    result = snapshot_of(one, service("api", 6000, uptime_s=1.5)).to_json()
    reply = json.dumps({"jsonrpc": "2.0", "portsup": 1, "id": 1, "result": result}).encode() + b"\n"
    with Imposter(one.socket, reply) as imposter:
        assert len(api.json("/api/v1/services")[1]["services"]) == 1
        imposter.reply = reply.replace(b"1.5", b"1e999")
        assert api.json("/api/v1/services")[1]["services"] == []
        with api.stream(LIVE) as stream:
            stream.find("view", lambda data: data["instances"][0]["state"] == "unreachable")


@pytest.mark.parametrize("logs", ["/tmp/\0", "/tmp/\ud800"], ids=["NUL", "no UTF-8"])
def test_a_record_whose_folder_no_path_can_name(api: Api, portsup_home: Home, logs: str) -> None:
    """All others are shown all the same: to root, anybody's record is there."""
    publish(portsup_home.locks, record(portsup_home.folder, logs=logs))
    with api.stream(LIVE) as stream:
        (shown,) = stream.find("view", lambda view: view["instances"])["instances"]
    assert not shown["logs_readable"]


def test_the_end_of_streams(portsup_home: Home, instance: Counted, ports_block: int) -> None:
    """SIGTERM ends the server at once and without a word, though streams are open and one isn't read."""
    log = Path(instance.record.logs) / "api.log"
    log.write_text("a line of some length that is repeated\n" * 200_000)
    logs = "/api/v1/instances/1/services/api/logs/stream"
    with (
        serving(portsup_home, ports_block) as running,
        running.stream(LIVE) as live,
        running.stream(logs + "?lines=1", signed_in=True) as followed,
        running.stream(logs + "?lines=1000000", signed_in=True),
    ):
        live.find("usage")
        followed.find("lines")
        running.process.send_signal(signal.SIGTERM)
        while live.read():
            pass  # a proper end: anything else raises
        assert followed.read() is None
        out, err = running.process.communicate(timeout=10)
    assert (running.process.returncode, out, err) == (0, "", greeting(portsup_home))


def test_who_does_not_read_is_hung_up_on(api: Api, instance: Counted) -> None:
    """After a while, and costs little memory until then."""
    log = Path(instance.record.logs) / "api.log"
    log.write_text("a line of some length that is repeated\n" * 500_000)
    server = psutil.Process(api.process.pid)
    api.json("/api/v1/services")
    before = server.memory_info().rss
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", api.port))
        path = "/api/v1/instances/1/services/api/logs/stream?lines=500000"
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {api.token}\r\n\r\n"
        client.sendall(head.encode())
        assert client.recv(15) == b"HTTP/1.1 200 OK"
        with api.stream(LIVE) as other:
            other.find("usage")
            wait_until(lambda: connected(server) == 1, 20, "the client to be hung up on")
            other.find("usage")
    assert server.memory_info().rss - before < 30_000_000


def connected(server: psutil.Process) -> int:
    return sum(one.status == psutil.CONN_ESTABLISHED for one in server.net_connections("tcp"))


def test_a_real_instance(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """What a service uses, and that it is stopped over HTTP, is seen by whoever watches."""
    write_stack(portsup.cwd, {"web": {"pool": {"offset": 0, "size": 2}}}, base_port=ports_block)
    portsup.up("-i", "1")
    portsup.wait_for_services(1)
    with serving(portsup_home, ports_block + 900) as api, api.stream(LIVE) as stream:
        first = stream.find("view")
        assert first["instances"][0]["services"][0]["pid"]
        (cell, free) = first["strips"][0]["cells"]
        assert (cell["state"], free["state"]) == ("ours", "free")
        stream.find("history", lambda data: data["services"][0]["points"])
        stream.find("events", lambda data: "instance.ready" in [one["event"] for one in data["events"]])
        usage = stream.find("usage", lambda data: data["services"][0]["cpu"] is not None)
        assert (usage["services"][0]["name"], usage["services"][0]["processes"]) == ("web", 1)
        assert usage["services"][0]["memory"] > 1_000_000
        instance_id = first["instances"][0]["instance_id"]
        status, answer = api.post(f"/api/v1/instances/1/services/web/stop?id={instance_id}")
        assert (status, answer["services"][0]["state"]) == (200, "STOPPED")
        stopped = stream.find("view", lambda data: data["instances"][0]["services"][0]["state"] == "STOPPED")
        assert stopped["strips"][0]["cells"][0]["state"] == "free"
        told = stream.find("events", lambda data: "unit.stopped" in [one["event"] for one in data["events"]])
        assert {one["service"] for one in told["events"]} == {"web"}
        events = api.json("/api/v1/events?limit=3")[1]["events"]
        assert len(events) == 3 and events[-1]["event"] == "unit.stopped"
        assert [one["time"] for one in events] == sorted(one["time"] for one in events)
        log = api.json("/api/v1/instances/1/services/web/logs", headers=api.authorization)[1]
        assert log["lines"] and all(line["time"] for line in log["lines"])
        assert (log["instance_id"], log["service"]) == (instance_id, "web")
        assert api.post("/api/v1/instances/1/services/web/start?id=somebody-else")[0] == 404


def test_events_of_nobody(api: Api) -> None:
    """Without instances there are none; how many are wanted must be a number."""
    assert api.json("/api/v1/events") == (200, {"schema": 1, "events": []})
    assert api.json("/api/v1/events?limit=1001")[0] == 400
    assert api.json("/api/v1/events?limit=-1")[0] == 400
    assert api.json("/api/v1/events?limit=1&limit=2") == (400, refusal("limit is there twice"))
    assert api.json("/api/v1/events?limti=1")[0] == 400
