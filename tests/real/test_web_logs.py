"""What a service printed, over HTTP: for whoever has the token."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import Home, port_block, private_home
from stand_in import Instance, Loop, publish, record, service
from web_help import Api, serving

LOGS = "/api/v1/instances/1/services/api/logs"
RED = "\x1b[31mred\x1b[0m"


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with private_home() as home:
        yield home


@pytest.fixture(scope="module")
def api(home: Home) -> Iterator[Api]:
    """One for all."""
    with port_block() as port, serving(home, port) as running:
        yield running


@pytest.fixture
def log(loop: Loop, home: Home) -> Iterator[Path]:
    """Of the service `api` of instance 1."""
    one = record(home.folder)
    Path(one.logs).mkdir()
    publish(home.locks, one)
    loop.serve(Path(one.socket), Instance(one, (service("api", 6000), service("quiet"))).dispatch)
    yield Path(one.logs) / "api.log"
    shutil.rmtree(one.logs)
    shutil.rmtree(home.locks)


def ask(api: Api, query: str = "", path: str = LOGS) -> tuple[int, Any]:
    return api.json(path + query, headers=api.authorization)


def texts(answer: Any) -> list[str]:
    return [line["text"] for line in answer["lines"]]


def add(log: Path, data: bytes) -> None:
    with log.open("ab") as opened:
        opened.write(data)


def test_the_last_lines(api: Api, log: Path) -> None:
    """Colours are kept, bytes that are no text are replaced, and a last line without an end is one."""
    log.write_bytes(b"one\ntwo\n" + RED.encode() + b"\n\xff\nno end")
    status, answer = ask(api, "?lines=3")
    assert status == 200
    assert answer == {
        "schema": 1,
        "stack": "test",
        "instance": 1,
        "instance_id": "test-1-abc123",
        "service": "api",
        "lines": [{"time": None, "text": RED}, {"time": None, "text": "�"}, {"time": None, "text": "no end"}],
    }
    assert texts(ask(api)[1]) == ["one", "two", RED, "�", "no end"]
    assert texts(ask(api, "?lines=0")[1]) == []
    assert texts(ask(api, "?since=9007199254740991")[1]) == []
    assert ask(api, path=LOGS.replace("api/logs", "quiet/logs"))[1]["lines"] == []


def test_without_the_token(api: Api, log: Path) -> None:
    """Nothing is told, also not whether there is such a service."""
    log.write_text("secret\n")
    for path in (LOGS, LOGS + "/stream", LOGS.replace("api/logs", "nobody/logs"), LOGS + "?lines=x"):
        status, headers, body = api.get(path)
        assert (status, headers["www-authenticate"]) == (401, "Bearer")
        assert b"secret" not in body
        assert api.get(path, headers={"Authorization": "Bearer x"})[0] == 401


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("?lines=x", 400),
        ("?lines=-1", 400),
        ("?lines=1000001", 400),
        ("?lines=", 400),
        ("?lines=1&lines=1", 400),
        ("?line=1", 400),
        ("?stack=test", 200),
        ("?stack=other", 404),
        ("?id=test-1-abc123", 200),
        ("?id=other", 404),
    ],
)
def test_what_is_asked_for(api: Api, log: Path, query: str, status: int) -> None:
    """A wrong parameter is told, and an instance that isn't there."""
    assert ask(api, query)[0] == status
    assert api.get(f"{LOGS}/stream{query}", headers=api.authorization, method="HEAD")[0] == status


def test_nobody_there(api: Api, log: Path, home: Home) -> None:
    """No such service, no such instance, one that is no number, one that doesn't answer."""
    status, answer = ask(api, path=LOGS.replace("api/logs", "nobody/logs"))
    assert (status, answer["hint"]) == (404, "the stack has api, quiet")
    assert ask(api, path=LOGS.replace("api/logs", "..%2Fx/logs"))[0] == 404
    assert ask(api, path=LOGS.replace("instances/1", "instances/7"))[0] == 404
    assert ask(api, path=LOGS.replace("instances/1", "instances/x"))[0] == 400
    publish(home.locks, record(home.folder, 2))
    assert ask(api, path=LOGS.replace("instances/1", "instances/2"))[0] == 503
    log.mkdir()
    assert ask(api)[0] == 409
    with api.stream(LOGS + "/stream", signed_in=True) as stream:
        assert "it is not a file" in stream.find("failure")["error"]
        assert stream.read() is None


def test_following(api: Api, log: Path) -> None:
    """The last lines, then each that is printed, once it has its end; also over a rotation."""
    log.write_bytes(b"one\ntwo\n")
    with api.stream(LOGS + "/stream?lines=1", signed_in=True) as stream:
        assert texts(stream.find("lines")) == ["two"]
        add(log, RED.encode() + b"\nhal")
        assert texts(stream.find("lines")) == [RED]
        add(log, b"f\n")
        assert texts(stream.find("lines")) == ["half"]
        log.rename(log.with_name("api.log.1"))
        log.write_bytes(b"after the rotation\n")
        assert texts(stream.find("lines")) == ["after the rotation"]


def test_many_lines(api: Api, log: Path) -> None:
    """100,000 come in batches, all and in order, and others are answered meanwhile."""
    log.write_text("".join(f"{number} {RED}\n" for number in range(100_000)))
    found: list[str] = []
    with api.stream(LOGS + "/stream?lines=100000", signed_in=True) as stream:
        while len(found) < 100_000:
            batch = texts(stream.find("lines"))
            assert len(batch) <= 2000
            found += batch
            if len(found) == 50_000:
                assert api.json("/api/v1/health", seconds=2)[0] == 200
    assert found == [f"{number} {RED}" for number in range(100_000)]
    assert texts(ask(api, "?lines=10000")[1]) == found[-10_000:]
