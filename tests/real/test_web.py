"""`portsup serve` as a process of its own, before real control sockets and real services."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import ROOT, Home, Portsup, health, wait_until, write_stack
from stand_in import Imposter, Loop, me, publish, record, service
from web_help import Api, greeting, refusal, serving, up

from supervisor.platform import Owner


@pytest.fixture
def api(portsup_home: Home, ports_block: int) -> Iterator[Api]:
    """One that ends with 0 and prints nothing more; its port is the first of the block."""
    with serving(portsup_home, ports_block) as running:
        yield running
        running.process.terminate()
        out, err = running.process.communicate(timeout=20)
        assert (running.process.returncode, out, err) == (0, "", greeting(portsup_home))


Handle = Callable[[http.server.BaseHTTPRequestHandler], None]


@contextlib.contextmanager
def web_service(port: int, handle: Handle) -> Iterator[None]:
    """A service's server on `port`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            handle(self)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            pass

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # clients that hang up are part of the test

    with Server(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def answering(code: int, body: bytes) -> Handle:
    def handle(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(code if request.path == "/api/health" else 418)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return handle


def test_own_health(api: Api) -> None:
    """Outside of an instance the server says who it is."""
    assert api.json("/api/health") == (
        200,
        {
            "status": "ok",
            "service": "portsup serve",
            "instance": None,
            "port": api.port,
            "pid": api.process.pid,
        },
    )


@pytest.mark.parametrize(("number", "told"), [("3", 3), ("x", None), ("", None)])
def test_own_health_as_a_service(portsup_home: Home, ports_block: int, number: str, told: int | None) -> None:
    """As a service of an instance it says which."""
    variables = {"PORTSUP_SERVICE": "api-server", "PORTSUP_INSTANCE": number}
    with serving(portsup_home, ports_block, **variables) as running:
        _, health = running.json("/api/health")
    assert (health["service"], health["instance"]) == ("api-server", told)


def test_services(api: Api, loop: Loop, portsup_home: Home) -> None:
    """Every service of every instance, as `status --json` shows them and as a flat list."""
    first = up(loop, portsup_home, 1, service("api", 6000), service("worker"))
    second = up(loop, portsup_home, 2, service("api", 6100, state="FATAL", reason="code 1"))
    publish(portsup_home.locks, record(portsup_home.folder, 3, supervisor=Owner(me().pid, 1)))
    status, answer = api.json("/api/services")
    assert status == 200
    assert answer["schema"] == 1
    assert [one["instance_id"] for one in answer["instances"]] == ["test-1-abc123", "test-2-abc123"]
    assert answer["instances"][0]["services"] == [one.to_json() for one in first.services]
    assert answer["services"] == [
        {"stack": "test", "instance": number, "instance_id": f"test-{number}-abc123", **one.to_json()}
        for number, instance in ((1, first), (2, second))
        for one in instance.services
    ]


def test_nothing_runs(api: Api) -> None:
    """Without a lock folder there is nothing to show, and nothing fails."""
    assert api.json("/api/services") == (200, {"schema": 1, "instances": [], "services": []})
    status, answer = api.json("/api/health/aggregated")
    assert (status, answer["status"], answer["services"]) == (503, "down", [])


def test_odd_paths_are_shown(api: Api, loop: Loop, portsup_home: Home) -> None:
    """A worktree whose name is no UTF-8 doesn't break the answer."""
    up(loop, portsup_home, 1, config="/tmp/\udcff/services.toml")
    _, answer = api.json("/api/services")
    assert answer["instances"][0]["config"] == "/tmp/\udcff/services.toml"


def test_all_well(api: Api, loop: Loop, portsup_home: Home, ports_block: int) -> None:
    """Every service answers: 200, and each one's code, latency and body."""
    port = ports_block + 1
    up(loop, portsup_home, 1, service("api", port), service("worker"))
    with web_service(port, answering(200, b'{"fine": true}')):
        status, answer = api.json("/api/health/aggregated")
    assert (status, answer["status"]) == (200, "ok")
    api_entry, worker = answer["services"]
    assert 0 < api_entry.pop("latency_ms") < 2000
    assert api_entry == {
        "stack": "test",
        "instance": 1,
        "instance_id": "test-1-abc123",
        "name": "api",
        "state": "RUNNING",
        "url": f"http://127.0.0.1:{port}",
        "status": "ok",
        "http": 200,
        "body": {"fine": True},
        "reason": None,
    }
    assert (worker["status"], worker["http"]) == ("running", None)


@pytest.mark.parametrize(
    ("code", "body", "status", "shown"),
    [
        (200, b"{}", "ok", {}),
        (204, b"", "ok", None),
        (200, b"plain text", "ok", None),
        (200, b"NaN", "ok", None),
        (200, b"[" * 10_000, "ok", None),
        (200, b'"' + b"x" * 100_000 + b'"', "ok", None),
        (404, b'{"error": "x"}', "unknown", {"error": "x"}),
        (302, b"", "failing", None),
        (500, b'{"error": "x"}', "failing", {"error": "x"}),
        (503, b"", "failing", None),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_answers(
    api: Api,
    loop: Loop,
    portsup_home: Home,
    ports_block: int,
    code: int,
    body: bytes,
    status: str,
    shown: Any,
) -> None:
    """2xx is well, 404 is no health page, all else is failing; small JSON is passed on."""
    up(loop, portsup_home, 1, service("api", ports_block + 1))
    with web_service(ports_block + 1, answering(code, body)):
        _, answer = api.json("/api/health/aggregated")
    (entry,) = answer["services"]
    assert (entry["status"], entry["http"], entry["body"]) == (status, code, shown)


def test_services_keep_no_time_wait(api: Api, loop: Loop, portsup_home: Home, ports_block: int) -> None:
    """The server hangs up first on a service that would keep the connection, so that its port stays free."""
    kept_open: list[bool] = []

    def handle(request: http.server.BaseHTTPRequestHandler) -> None:
        request.protocol_version = "HTTP/1.1"
        answering(200, b"{}")(request)
        request.connection.settimeout(4)  # below that of a pool that keeps connections
        kept_open.append(request.rfile.read(1) != b"")

    up(loop, portsup_home, 1, service("api", ports_block + 1))
    with web_service(ports_block + 1, handle):
        assert api.json("/api/health/aggregated")[0] == 200
        wait_until(lambda: kept_open, 2, "the connection to be closed")
    assert kept_open == [False]


def test_no_proxy_is_asked(loop: Loop, portsup_home: Home, ports_block: int) -> None:
    """Services are on this machine, whatever proxy its user needs for the rest of the world."""
    proxy = f"http://127.0.0.1:{ports_block + 9}"
    with serving(
        portsup_home, ports_block, HTTP_PROXY=proxy, http_proxy=proxy, NO_PROXY="", no_proxy=""
    ) as api:
        up(loop, portsup_home, 1, service("api-server", api.port))
        assert api.json("/api/health/aggregated")[0] == 200


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_others_instances_are_not_shown(loop: Loop, portsup_home: Home) -> None:
    """A user sees his own instances, though everyone's records lie in the folder."""
    script = """
import os, sys
from pathlib import Path
from supervisor.control import registry
from supervisor.monitor import instances
os.seteuid(65534)
locks = Path(sys.argv[1])
print(len(registry.instances(locks)), len(instances.visible(locks)), len(instances.snapshots(locks)))
"""
    up(loop, portsup_home, 1)
    portsup_home.folder.chmod(0o755)
    assert run(script, str(portsup_home.locks), home=portsup_home) == "1 0 0\n"


def hang(request: http.server.BaseHTTPRequestHandler) -> None:
    request.rfile.read(1)  # nothing comes


def trickle(request: http.server.BaseHTTPRequestHandler) -> None:
    """A body without an end, one byte at a time."""
    request.send_response(200)
    request.end_headers()
    stopped = threading.Event()
    while not stopped.wait(0.05):
        request.wfile.write(b" ")


def flood(request: http.server.BaseHTTPRequestHandler) -> None:
    """A body without an end, as fast as it is read."""
    request.send_response(200)
    request.end_headers()
    while True:
        request.wfile.write(b" " * 65536)


def garbage(request: http.server.BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"-ERR unknown command\r\n")


@pytest.mark.slow
def test_bad_services_are_bounded(api: Api, loop: Loop, portsup_home: Home, ports_block: int) -> None:
    """Services that hang, trickle, flood or babble, or aren't there, are told apart in two seconds."""
    handlers: dict[str, Handle] = {"hang": hang, "trickle": trickle, "flood": flood, "garbage": garbage}
    handlers["fine"] = answering(200, b"{}")
    ports = {name: ports_block + 1 + number for number, name in enumerate(handlers)}
    everyone = [service(name, port) for name, port in ports.items()]
    everyone.append(service("absent", ports_block + 20))
    everyone.append(service("fatal", ports_block + 21, state="FATAL", reason="exited too often"))
    everyone.append(service("once", state="EXITED", exit="code 3"))
    up(loop, portsup_home, 1, *everyone)
    with contextlib.ExitStack() as servers:
        for name, handle in handlers.items():
            servers.enter_context(web_service(ports[name], handle))
        began = time.monotonic()
        status, answer = api.json("/api/health/aggregated")
        assert time.monotonic() - began < 3
    found = {one["name"]: one for one in answer["services"]}
    assert (status, answer["status"]) == (503, "degraded")
    assert {name: one["status"] for name, one in found.items()} == {
        "hang": "unreachable",
        "trickle": "unreachable",
        "flood": "ok",
        "garbage": "unknown",
        "fine": "ok",
        "absent": "unreachable",
        "fatal": "fatal",
        "once": "failing",
    }
    assert found["hang"]["reason"] == "no answer in time"
    assert found["fatal"]["reason"] == "exited too often"
    assert found["flood"]["body"] is None


def test_more_services_than_descriptors(api: Api, loop: Loop, portsup_home: Home, ports_block: int) -> None:
    """An answer with thousands of services holds nobody up, and a URL that is none fails itself alone."""
    names = [service(f"s{number}", ports_block + 1) for number in range(3000)]
    up(loop, portsup_home, 1, service("odd", url="http://127.0.0.1:99999"), *names)
    began = time.monotonic()
    status, answer = api.json("/api/health/aggregated")
    assert (status, len(answer["services"])) == (503, 3001)
    assert {one["status"] for one in answer["services"]} == {"unreachable"}
    assert time.monotonic() < began + 10


def test_asks_itself(api: Api, loop: Loop, portsup_home: Home) -> None:
    """The server is a service of the instance that it reports on, and answers itself meanwhile."""
    up(loop, portsup_home, 1, service("api-server", api.port))
    status, answer = api.json("/api/health/aggregated")
    assert (status, answer["status"]) == (200, "ok")
    assert answer["services"][0]["body"]["pid"] == api.process.pid


def test_frozen_supervisor(api: Api, loop: Loop, portsup_home: Home) -> None:
    """An instance whose supervisor doesn't answer degrades the whole, and hides no other."""
    up(loop, portsup_home, 1, service("api-server", api.port))
    frozen = record(portsup_home.folder, 2)
    publish(portsup_home.locks, frozen)
    with Imposter(frozen.socket, None):
        status, answer = api.json("/api/health/aggregated")
    assert (status, answer["status"]) == (503, "degraded")
    assert [(one["instance"], one["state"]) for one in answer["instances"]] == [
        (1, "running"),
        (2, "unreachable"),
    ]
    assert [one["status"] for one in answer["services"]] == ["ok"]


@pytest.mark.parametrize(
    ("query", "instances"),
    [
        ("", [1, 1, 2]),
        ("?instance=1", [1, 1]),
        ("?stack=test", [1, 2]),
        ("?stack=other&instance=1", [1]),
        ("?instance=9", []),
        ("?stack=", []),
    ],
)
def test_filter(api: Api, loop: Loop, portsup_home: Home, query: str, instances: list[int]) -> None:
    """The aggregated health of some instances only."""
    up(loop, portsup_home, 1)
    up(loop, portsup_home, 2)
    sockets = portsup_home.folder / "sockets"
    up(loop, portsup_home, 1, stack="other", base_port=8000, socket=str(sockets / "other.sock"))
    _, answer = api.json(f"/api/health/aggregated{query}")
    assert [one["instance"] for one in answer["instances"]] == instances


@pytest.mark.parametrize("number", ["x", "-1", "1.5", "", "99999999999999999999"])
def test_filter_that_is_none(api: Api, number: str) -> None:
    """An instance that is no number is the caller's mistake."""
    status, answer = api.json(f"/api/health/aggregated?instance={number}")
    assert (status, answer) == (400, refusal("instance must be a whole number"))


def test_tracing_stats(api: Api, loop: Loop, portsup_home: Home) -> None:
    """Each instance's own figures, by service and phase; one that can't tell says why."""
    figures = {"api": {"spawn": {"count": 2, "median_ms": 1.5, "p95_ms": 2.0, "max_ms": 2.0}}}
    up(loop, portsup_home, 1, timings=figures)
    publish(portsup_home.locks, record(portsup_home.folder, 2))
    status, answer = api.json("/api/tracing/stats")
    assert (status, answer["schema"]) == (200, 1)
    first, second = answer["instances"]
    assert first == {
        "stack": "test",
        "instance": 1,
        "instance_id": "test-1-abc123",
        "services": figures,
        "error": None,
    }
    assert second["services"] == {}
    assert "its control socket is gone" in second["error"]


def test_index(api: Api) -> None:
    """The front page names every endpoint."""
    status, headers, body = api.get("/")
    assert status == 200
    assert headers["content-type"].startswith("text/plain")
    for path in ("/health", "/services", "/health/aggregated", "/tracing/stats"):
        assert f"GET /api/v1{path} ".encode() in body


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/api/services/", 404),
        ("GET", "/../etc/passwd", 404),
        ("POST", "/api/services", 405),
        ("DELETE", "/", 405),
    ],
)
def test_errors_are_json(api: Api, method: str, path: str, status: int) -> None:
    """Unknown paths and other methods get JSON too."""
    found, answer = api.json(path, method=method)
    assert found == status
    assert set(answer) == {"error", "details", "hint"}


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:9000", 200),
        ("evil.example", 421),
        ("localhost.evil", 421),
    ],
)
def test_host(api: Api, host: str, status: int) -> None:
    """A page that points its own name here gets nothing to read."""
    found, answer = api.json("/api/services", host=host)
    assert found == status
    assert ("services" in answer) == (status == 200)


def test_loopback_only(api: Api) -> None:
    """The port is open on 127.0.0.1 and on no other address."""
    from supervisor.platform import os_facts

    assert [listener.address for listener in os_facts.listeners([api.port])] == ["127.0.0.1"]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_ends_orderly(portsup_home: Home, ports_block: int, signum: signal.Signals) -> None:
    """Each of these signals ends it with 0 and without a word, also right after it said that it listens."""
    with serving(portsup_home, ports_block) as running:
        running.process.send_signal(signum)
        out, err = running.process.communicate(timeout=20)
    assert (running.process.returncode, out, err) == (0, "", greeting(portsup_home))


@pytest.mark.slow
def test_ends_while_asked(portsup_home: Home, loop: Loop, ports_block: int) -> None:
    """A request that is under way is answered before the end."""
    up(loop, portsup_home, 1, service("slow", ports_block + 1))
    asked = threading.Event()

    def slow(request: http.server.BaseHTTPRequestHandler) -> None:
        asked.set()
        hang(request)

    answers: list[int] = []
    with serving(portsup_home, ports_block) as running, web_service(ports_block + 1, slow):
        client = threading.Thread(target=lambda: answers.append(running.get("/api/health/aggregated")[0]))
        client.start()
        assert asked.wait(20)
        running.process.terminate()
        running.process.communicate(timeout=20)
        client.join(20)
    assert running.process.returncode == 0
    assert answers == [503]


def test_taken_port(portsup_home: Home, api: Api) -> None:
    """A port that is taken is an error in a sentence, with the way to find out by whom."""
    script = """
import sys
from supervisor.errors import PortsupError
from supervisor.web.serve import serve
try:
    serve(int(sys.argv[1]), print)
except PortsupError as failure:
    print(failure.message, failure.hint, sep="; ")
"""
    done = run(script, str(api.port), home=portsup_home)
    taken = f"cannot listen on 127.0.0.1:{api.port}: Address already in use"
    assert done == f"{taken}; `portsup why {api.port}` tells who does\n"


@pytest.mark.parametrize("package", ["uvicorn", "starlette", "httpx"])
def test_missing_extra(portsup_home: Home, package: str) -> None:
    """Without the extra `web` the hint says how to get it."""
    script = """
import sys
from supervisor.errors import PortsupError
sys.modules[sys.argv[1]] = None
from supervisor.web.serve import serve
try:
    serve(0, print)
except PortsupError as failure:
    print(failure.message, failure.hint, sep="; ")
"""
    done = run(script, package, home=portsup_home)
    assert done == f"cannot serve: {package} is not installed; install its extra: pip install '.[web]'\n"


def run(script: str, *arguments: str, home: Home) -> str:
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=ROOT,
        env=home.environ,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout


def test_many_requests_leave_nothing(api: Api, loop: Loop, portsup_home: Home) -> None:
    """Two hundred looks leave no descriptor open in the server."""
    up(loop, portsup_home, 1, service("api-server", api.port))
    descriptors = Path(f"/proc/{api.process.pid}/fd")
    if not descriptors.exists():
        pytest.skip("reads /proc")
    api.json("/api/health/aggregated")
    before = len(os.listdir(descriptors))  # noqa: PTH208 - count only
    for _ in range(100):
        api.json("/api/health/aggregated")
        api.json("/api/tracing/stats")
    wait_until(lambda: len(os.listdir(descriptors)) <= before, 5, "descriptors to be closed")  # noqa: PTH208


def test_the_api_server_can_die(portsup: Portsup, ports_block: int) -> None:
    """As a service of an instance it is restarted on its port, and nobody else notices."""
    services = {
        "api": {
            "command": [sys.executable, "-m", "supervisor", "serve"],
            "pool": {"offset": 0, "size": 1},
            "ready": {"http": "/api/health"},
            "backoff": {"initial": "10ms"},
        },
        "web": {"pool": {"offset": 10, "size": 1}},
    }
    write_stack(portsup.cwd, services, base_port=ports_block)
    assert portsup.run("up", "-i", "1", "--wait").returncode == 0
    api, web = portsup.instance(1)["services"]
    listed = health(ports_block, "/api/services")
    assert listed is not None
    assert {service["name"]: service["port"] for service in listed["services"]} == {
        "api": ports_block,
        "web": ports_block + 10,
    }
    os.kill(api["pid"], signal.SIGKILL)
    wait_until(lambda: portsup.instance(1)["services"][0]["restarts"] == 1, 10)
    again, same = portsup.wait_for_services(1)["services"]
    assert (again["port"], again["restarts"]) == (ports_block, 1)
    assert (same["pid"], same["restarts"]) == (web["pid"], 0)
    answer = health(ports_block)
    assert answer is not None
    assert (answer["instance"], answer["pid"]) == (1, again["pid"])
