"""Both ends of the control socket before somebody who says anything at all (fault 18)."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from fuzzing import amounts, for_all, json_values, with_wrong_values
from harness import Home, Portsup, wait_until, write_stack
from hypothesis import strategies as st
from stand_in import Imposter, publish, raw_connection, record, service, snapshot_of

from fuzz.protocol import check_failure, check_shown
from supervisor import records
from supervisor.cli.main import main
from supervisor.control import client, protocol
from supervisor.control.client import Client
from supervisor.errors import ExitCode, NoFreePort, PortsupError
from supervisor.records import InstanceRecord

GROWTH = 40_000_000
"""Bytes by which a supervisor may grow under lines of a megabyte: buffers, and what malloc keeps."""

# What is sent to a real instance

ASKED = [method for method in protocol.METHODS if method != "down"]
params = st.fixed_dictionaries(
    {},
    optional={
        "services": json_values | st.lists(st.sampled_from(["web", "job", "nobody"]), max_size=3),
        "timeout": json_values | st.sampled_from([0, -1, 0.01, 10**400, True]),
        "service": json_values | st.just("web"),
    },
)
calls = st.fixed_dictionaries(
    {
        "jsonrpc": st.just("2.0"),
        "portsup": st.just(1),
        "id": st.integers() | st.text(max_size=5),
        "method": st.sampled_from(ASKED),
        "params": params,
    }
)
oddities = st.sampled_from(
    [
        b"",
        b"\0",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"9" * 5000,
        b'{"jsonrpc":"2.0","portsup":1,"id":1,"id":2,"method":"x","method":"env"}',
        b'{"jsonrpc":"2.0","portsup":1,"id":1,"method":"wait","params":{"timeout":1e999}}',
        b'{"jsonrpc":"2.0","portsup":1,"id":1,"method":"wait","params":{"timeout":NaN}}',
        b'{"jsonrpc":"2.0","portsup":1,"id":"\\ud800","method":"\\udfff"}',
        b'{"jsonrpc":"2.0","portsup":9,"id":1,"method":"env"}',
        b"[" + protocol.request(1, "env", {})[:-1] + b"]",
        b'{"pad":"' + b"x" * 900_000 + b'"}',
        b"[" + b"{}," * 300_000 + b"{}]",
        b"x" * (protocol.MAX_LINE + 1),
    ]
)


def as_line(value: Any) -> bytes:
    return json.dumps(value).encode()


def is_harmless(line: bytes) -> bool:
    """It doesn't end the instance, and is one line."""
    return b"down" not in line and b"\n" not in line


lines = (
    calls.map(as_line)
    | calls.flatmap(with_wrong_values).map(as_line)
    | json_values.map(as_line)
    | st.binary(max_size=50)
    | oddities
).filter(is_harmless)


@dataclass(frozen=True)
class Conversation:
    lines: list[bytes]
    """Complete ones."""
    rest: bytes
    """What is sent of one more before the client hangs up."""
    cuts: list[int]

    def chunks(self) -> Iterator[bytes]:
        data = b"".join(line + b"\n" for line in self.lines)
        ends = sorted({min(cut, len(data)) for cut in self.cuts} | {len(data)})
        for start, end in zip([0, *ends], ends, strict=False):
            yield data[start:end]


conversations = st.builds(
    Conversation,
    st.lists(lines, max_size=6),
    st.binary(max_size=20).filter(is_harmless) | st.just(protocol.request(1, "env", {})[:-1]),
    st.lists(st.integers(0, 1000), max_size=4),
)


# What must come back


def hold(instance: InstanceRecord, conversation: Conversation) -> None:
    """Each line is answered, in order, by one line; after one that is too long the connection ends."""
    with (
        raw_connection(instance.socket) as connection,
        contextlib.suppress(BrokenPipeError, ConnectionResetError),
    ):
        answers = connection.makefile("rb")
        for chunk in conversation.chunks():
            connection.sendall(chunk)
        for line in conversation.lines:
            check_answer(line, answers.readline())
            if len(line) > protocol.MAX_LINE:
                assert answers.read() == b""
                return
        connection.sendall(protocol.request("last", "env", {}))
        assert json.loads(answers.readline())["id"] == "last"
        connection.sendall(conversation.rest)


def check_answer(line: bytes, answer: bytes) -> None:
    message = json.loads(answer)
    code = message["error"]["code"] if "error" in message else None
    assert code != protocol.INTERNAL_ERROR, (line, message)
    assert (message["jsonrpc"], message["portsup"]) == ("2.0", 1)
    if len(line) > protocol.MAX_LINE:
        assert (message["id"], code) == (None, protocol.INVALID_REQUEST)
        return
    try:
        request = protocol.parse_request(line)
    except protocol.BadMessageError as bad:
        assert (message["id"], code) == (bad.id, bad.code)
        return
    assert message["id"] == request.id
    if request.method not in protocol.METHODS:
        assert code == protocol.METHOD_NOT_FOUND
    elif code is None:
        assert "result" in message
    else:
        assert code in (protocol.FAILED, protocol.INVALID_PARAMS)


@pytest.fixture
def instance(portsup: Portsup, portsup_home: Home, ports_block: int) -> InstanceRecord:
    """A real one, with a service that ends at once when it is told to, and a job that is done."""
    services = {
        "web": {"command": ["sleep", "600"], "pool": {"offset": 0, "size": 2}},
        "job": {"command": "true", "restart": "no"},
    }
    write_stack(portsup.cwd, services, base_port=ports_block)
    started = portsup.run("up", "-d")
    assert started.returncode == 0, started.stderr
    (found,) = records.instance_records(portsup_home.locks)
    return found


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors")
@amounts(60, 1000)
def test_an_instance_answers_anything(instance: InstanceRecord, portsup_home: Home, amount: int) -> None:
    """Asked nonsense for long, it works as before: no fault inside, no memory, no descriptor kept."""
    supervisor = psutil.Process(instance.supervisor.pid)
    hold(instance, Conversation([b"x" * protocol.MAX_LINE], b"", []))
    restart(instance)
    memory, descriptors = supervisor.memory_info().rss, supervisor.num_fds()

    def check(conversation: Conversation) -> None:
        hold(instance, conversation)
        with Client(instance) as fresh:
            assert client.read_snapshot(instance, fresh.call("snapshot")).state in ("running", "starting")

    for_all(conversations, check, amount)
    assert [event for event in portsup_home.events() if event["level"] == "error"] == []
    assert supervisor.memory_info().rss < memory + GROWTH
    restart(instance)
    wait_until(lambda: supervisor.num_fds() <= descriptors, 10, "descriptors to be closed")


def restart(instance: InstanceRecord) -> None:
    """Whatever it was told before: the service runs then."""
    with Client(instance) as fresh:
        fresh.call("restart", services=["web"])


@pytest.mark.parametrize("timeout", [10**400, -1, True, "5", []], ids=lambda value: repr(value)[:9])
def test_a_timeout_that_is_none(instance: InstanceRecord, timeout: Any) -> None:
    """Numbers that no clock knows are the caller's fault, not the supervisor's."""
    with raw_connection(instance.socket) as connection:
        connection.sendall(
            as_line(
                {"jsonrpc": "2.0", "portsup": 1, "id": 1, "method": "wait", "params": {"timeout": timeout}}
            )
            + b"\n"
        )
        answer = json.loads(connection.makefile("rb").readline())
    assert answer["error"]["code"] == protocol.INVALID_PARAMS


# What follows after `attach`

ECHO = {"command": "stty raw -echo; echo up; exec cat", "shell": True, "tty": True}


@dataclass(frozen=True)
class Typing:
    early: bytes
    """Sent with the request, and not after its result."""
    keys: list[bytes]
    patient: bool
    """Whether it waits for the echo, or hangs up at once."""


typings = st.builds(
    Typing,
    st.binary(max_size=20) | st.just(protocol.request(2, "env", {})) | st.just(b"x\n" * 3),
    st.lists(st.binary(max_size=200) | st.just(b"y" * 100_000), max_size=5),
    st.booleans(),
)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors")
@amounts(60, 1000)
def test_a_terminal_takes_anything(
    portsup: Portsup, portsup_home: Home, ports_block: int, amount: int
) -> None:
    """What is typed arrives byte for byte, whoever hung up before, and nothing of anybody is kept."""
    write_stack(portsup.cwd, {"web": ECHO}, base_port=ports_block)
    assert portsup.run("up", "-d").returncode == 0
    (instance,) = records.instance_records(portsup_home.locks)
    supervisor = psutil.Process(instance.supervisor.pid)
    wait_until(lambda: supervisor.children() and supervisor.children()[0].name() == "cat", 10, "cat")
    wait_until(Path(instance.logs, "web.log.times").exists, 10, "the first line")  # its file stays open
    descriptors = supervisor.num_fds()
    for_all(typings, lambda typing: check_typing(instance, typing), amount)
    assert [event for event in portsup_home.events() if event["level"] == "error"] == []
    wait_until(lambda: supervisor.num_fds() <= descriptors, 10, "descriptors to be closed")


def check_typing(instance: InstanceRecord, typing: Typing) -> None:
    with raw_connection(instance.socket) as connection:
        connection.sendall(protocol.request(1, "attach", {"service": "web"}) + typing.early)
        answers = connection.makefile("rb")
        assert json.loads(answers.readline())["result"]["pid"]
        for keys in typing.keys:
            connection.sendall(keys)
        wanted, echo = typing.early + b"".join(typing.keys), b""
        while typing.patient and wanted not in echo:
            count, typed, ended = protocol.parse_news(answers.readline())
            echo += answers.read(count)
            assert (typed <= len(wanted), ended) == (True, None)


# What a command is told by somebody who isn't an instance


@pytest.fixture
def imposter(portsup_home: Home) -> Iterator[Imposter]:
    one = record(portsup_home.folder)
    with Imposter(one.socket, b"") as listening:
        yield listening


def replies(one: InstanceRecord) -> st.SearchStrategy[bytes]:
    """Right, nearly right, and anything; one or several."""
    snapshot = snapshot_of(one, service("api", 6000), service("job")).to_json()
    failure = NoFreePort("no free port", details=["9000  taken"], hint="wait")
    right: list[Any] = [
        json.loads(protocol.result(1, snapshot)),
        json.loads(protocol.result(1, {"services": snapshot["services"]})),
        json.loads(protocol.result(1, {"HOST": "127.0.0.1", "A": "1"})),
        json.loads(protocol.news(b"", 0, None)),
        json.loads(protocol.news(b"", 0, "it ended")),
        json.loads(protocol.error(1, protocol.FAILED, failure.message, failure)),
    ]
    message = st.sampled_from(right).flatmap(with_wrong_values) | json_values
    return st.lists(message.map(as_line) | st.binary(max_size=50), max_size=3).map(
        lambda sent: b"".join(line + b"\n" for line in sent)
    )


@amounts(150, 1000)
def test_a_client_believes_nothing(imposter: Imposter, portsup_home: Home, amount: int) -> None:
    """Whatever is answered: a result, or an error that can be shown."""
    one = record(portsup_home.folder)

    def check(reply: bytes) -> None:
        imposter.reply = reply
        try:
            with Client(one) as asking:
                asking.call("snapshot")
        except PortsupError as failure:
            check_failure(failure)
        check_shown(client.snapshot(one))

    for_all(replies(one), check, amount)


@pytest.mark.slow
@amounts(60, 500)
def test_commands_believe_nothing(
    imposter: Imposter, portsup_home: Home, capfd: pytest.CaptureFixture[str], amount: int
) -> None:
    """They end with an error that says who can't be understood, not with one of their own."""
    file = write_stack(portsup_home.folder, {"api": {"command": "x"}}, base_port=6000)
    one = record(portsup_home.folder, config=str(file))
    publish(portsup_home.locks, one)
    commands = [
        ["status", "--json"],
        ["ps"],
        ["env"],
        ["start", "api"],
        ["stop", "api"],
        ["logs", "api"],
        ["attach", "api"],
        ["down", "--timeout", "0.01"],
    ]

    def check(asked: tuple[list[str], bytes]) -> None:
        command, imposter.reply = asked
        code = main([*command, "--file", str(file)])
        assert code != ExitCode.INTERNAL, capfd.readouterr().err
        capfd.readouterr()

    for_all(st.tuples(st.sampled_from(commands), replies(one)), check, amount)


def test_an_imposter_may_change_its_mind(imposter: Imposter, portsup_home: Home) -> None:
    """What the two tests above rest upon."""
    for reply in (b"one\n", b"two\n"):
        imposter.reply = reply
        with raw_connection(record(portsup_home.folder).socket) as connection:
            connection.sendall(b"?\n")
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(100) == reply
