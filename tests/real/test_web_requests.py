"""Whom the API server answers: requests as they come over a socket, byte for byte."""

from __future__ import annotations

import http.client
import json
import os
import resource
import socket
from collections.abc import Iterator

import pytest
from harness import port_block, private_home
from web_help import Api, serving

PATH = "/api/instances/1/services/api/restart"
LOGS = "/api/v1/instances/1/services/api/logs"


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    """One for all: nothing here changes anything."""
    with private_home() as home, port_block() as port, serving(home, port) as running:
        yield running


def ask(api: Api, *lines: str) -> tuple[int, dict[str, str], bytes]:
    """Send the head of a request that is the connection's last; status, headers and body of the answer."""
    with socket.create_connection(("127.0.0.1", api.port), timeout=20) as connection:
        connection.sendall("".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1"))
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in rest)
    assert not [name for name in headers if name.startswith("access-control-")]
    return int(first.split()[1]), headers, body


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["GET /api/services HTTP/1.1", "Host: localhost"], 200),
        (["GET /api/services HTTP/1.1", "Host: LOCALHOST:9000"], 200),
        (["GET /api/services HTTP/1.1", "host: 127.0.0.1:1"], 200),
        (["GET /api/services HTTP/1.1", "Host: [::1]:9000"], 200),
        (["GET /api/services HTTP/1.1", "Host: [::1]"], 200),
        (["GET /api/services HTTP/1.0"], 200),
        (["GET /api/services HTTP/1.0", "Host: evil.example"], 421),
        (["GET /api/services HTTP/1.1"], 400),
        (["GET /api/services HTTP/1.1", "Host:"], 421),
        (["GET /api/services HTTP/1.1", "Host: evil.example"], 421),
        (["GET /api/services HTTP/1.1", "Host: localhost.evil.example"], 421),
        (["GET /api/services HTTP/1.1", "Host: evil.example:80#localhost"], 421),
        (["GET /api/services HTTP/1.1", "Host: localhost."], 421),
        (["GET /api/services HTTP/1.1", "Host: localhost:9000:1"], 421),
        (["GET /api/services HTTP/1.1", "Host: localhost, evil.example"], 421),
        (["GET /api/services HTTP/1.1", "Host: user@localhost"], 421),
        (["GET /api/services HTTP/1.1", "Host: 127.0.0.1.evil.example"], 421),
        (["GET /api/services HTTP/1.1", "Host: 127.1"], 421),
        (["GET /api/services HTTP/1.1", "Host: 0.0.0.0"], 421),
        (["GET /api/services HTTP/1.1", "Host: localhost", "Host: localhost"], 400),
        (["GET /api/services HTTP/1.1", "Host: localhost", "Host: evil.example"], 400),
        (["GET /api/services HTTP/1.1", "Host: localhost", "X-Forwarded-Host: evil.example"], 200),
        (["GET /api/services HTTP/1.1", "Host: evil.example", "X-Forwarded-Host: localhost"], 421),
        (["GET http://localhost/api/services HTTP/1.1", "Host: localhost"], 404),
        (["GET http://evil.example/api/services HTTP/1.1", "Host: localhost"], 404),
        (["GET http://localhost/api/services HTTP/1.1", "Host: evil.example"], 421),
        (["GET /api/services HTTP/1.1", "Host: localhost", "Origin: http://localhost:3000"], 200),
        (["GET /api/services HTTP/1.1", "Host: localhost", "Origin: https://127.0.0.1"], 200),
        (["GET /api/services HTTP/1.1", "Host: localhost", "Origin: http://evil.example"], 403),
        (["GET /api/services HTTP/1.1", "Host: localhost", "Origin: http://localhost.evil.example"], 403),
        (["GET /api/services HTTP/1.1", "Host: localhost", "Origin: null"], 403),
        (["GET /api/services HTTP/1.1", "Host: localhost", "Origin:"], 403),
        (["POST " + PATH + " HTTP/1.1", "Host: evil.example"], 421),
        (["POST " + PATH + " HTTP/1.1", "Host: localhost", "Origin: http://evil.example"], 403),
        (["POST " + PATH + " HTTP/1.1", "Host: localhost"], 401),
        (["nonsense"], 400),
    ],
    ids=lambda value: " | ".join(value) if isinstance(value, list) else "",
)
def test_who_is_answered(api: Api, lines: list[str], status: int) -> None:
    """This machine's own names in Host, and no page from elsewhere; nobody else gets a fact or a change."""
    found, _, body = ask(api, *lines, "Connection: close")
    assert found == status
    assert (b'"services"' in body) == (status == 200)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/metrics",
        "/static/docs.js",
        "/api/docs",
        "/api/v1/openapi.json",
        "/api/v1/live",
        "/api/v1/events",
        LOGS,
        LOGS + "/stream",
        "/api/v1/services",
    ],
)
@pytest.mark.parametrize(
    ("header", "status"), [("Host: evil.example", 421), ("Origin: http://evil.example", 403)]
)
def test_no_page_from_elsewhere(api: Api, path: str, header: str, status: int) -> None:
    """Whatever it asks for."""
    host = [] if header.startswith("Host") else ["Host: localhost"]
    found, _, body = ask(api, f"GET {path} HTTP/1.1", header, *host, "Connection: close")
    assert (found, set(json.loads(body))) == (status, {"error", "details", "hint"})


@pytest.mark.parametrize(
    ("method", "path", "status", "allowed"),
    [
        ("HEAD", "/api/services", 200, None),
        ("OPTIONS", "/api/services", 405, "get, head"),
        ("POST", "/api/services", 405, "get, head"),
        ("GET", PATH, 405, "post"),
        ("HEAD", PATH, 405, "post"),
        ("OPTIONS", PATH, 405, "post"),
        ("PUT", PATH, 405, "post"),
        ("DELETE", PATH, 405, "post"),
        ("HEAD", "/api/v1/live", 200, None),
        ("HEAD", "/", 200, None),
        ("HEAD", "/static/docs.js", 200, None),
        ("POST", "/api/v1/live", 405, "get, head"),
        ("OPTIONS", "/api/v1/live", 405, "get, head"),
        ("OPTIONS", LOGS, 405, "get, head"),
        ("POST", LOGS + "/stream", 405, "get, head"),
        ("DELETE", "/static/docs.js", 405, "get, head"),
        ("HEAD", LOGS, 401, None),
        ("HEAD", LOGS + "/stream", 401, None),
        ("POST", PATH.replace("/api/", "/api/v1/", 1), 401, None),
        ("POST", PATH.replace("restart", "kill"), 404, None),
        ("POST", PATH + "/", 404, None),
        ("POST", PATH.replace("api/restart", "a%2Fb/restart"), 404, None),
    ],
)
def test_methods(api: Api, method: str, path: str, status: int, allowed: str | None) -> None:
    """GET changes nothing, POST is all that does, and a browser that asks first is told no."""
    found, headers, body = ask(api, f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close")
    told = headers.get("allow")
    assert (found, told and ", ".join(sorted(told.split(", ")))) == (status, allowed)
    assert (body == b"") == (method == "HEAD")
    if status != 200 and body:
        assert "error" in json.loads(body)


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer x", "Basic {}", "{}", "Bearer {}x", "Bearer {} {}"]
)
def test_a_wrong_token(api: Api, header: str) -> None:
    """401 and where the right one is, which isn't said."""
    lines = [f"Authorization: {header.replace('{}', api.token)}"] if header else []
    status, headers, body = ask(api, f"POST {PATH} HTTP/1.1", "Host: localhost", "Connection: close", *lines)
    assert (status, headers["www-authenticate"]) == (401, "bearer")
    answer = json.loads(body)
    assert answer["error"] == f"this needs the token in {api.token_file}"
    assert answer["hint"] == "send it in a header: Authorization: Bearer TOKEN"
    assert api.token not in body.decode()


def test_two_tokens(api: Api) -> None:
    """Which of two headers counts is nothing to guess about."""
    right = f"Authorization: Bearer {api.token}"
    head = f"POST {PATH} HTTP/1.1", "Host: localhost", "Connection: close"
    assert ask(api, *head, right, "Authorization: Bearer x")[0] == 401
    assert ask(api, *head, right)[0] == 404
    assert ask(api, *head, right.replace("Bearer", "bearer"))[0] == 404


def test_odd_bytes_in_a_token(api: Api) -> None:
    """Not even they are compared as text, which would fail inside."""
    head = f"POST {PATH} HTTP/1.1", "Host: localhost", "Connection: close"
    assert ask(api, *head, "Authorization: Bearer \xff\xfe")[0] == 401


def test_another_users_request_needs_the_token_too(api: Api) -> None:
    """The file is the door: its mode is 0600 whatever the umask was."""
    assert api.token_file.stat().st_mode & 0o777 == 0o600
    assert api.token_file.stat().st_uid == os.geteuid()


def test_without_descriptors(api: Api) -> None:
    """What needs one says so, over the connection that there is, and answers again once there are more."""
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=20)

    def look() -> tuple[int, str | None]:
        connection.request("GET", "/api/services")
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()).get("error")

    soft, hard = resource.prlimit(api.process.pid, resource.RLIMIT_NOFILE)
    try:
        assert look() == (200, None)
        resource.prlimit(api.process.pid, resource.RLIMIT_NOFILE, (0, hard))
        assert look() == (503, "no file descriptors are left")
        resource.prlimit(api.process.pid, resource.RLIMIT_NOFILE, (soft, hard))
        assert look() == (200, None)
    finally:
        resource.prlimit(api.process.pid, resource.RLIMIT_NOFILE, (soft, hard))
        connection.close()
