"""Messages of the control socket: what is understood, and how the rest is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.control import protocol
from supervisor.control.protocol import BadMessageError
from supervisor.errors import NoFreePort, PortsupError

ids = st.integers(-(2**60), 2**60) | st.text(max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
GOOD = {"jsonrpc": "2.0", "portsup": 1, "id": 1, "method": "snapshot"}


def line(**changes: Any) -> bytes:
    return json.dumps(GOOD | changes).encode()


@given(ids, st.text(max_size=20), st.dictionaries(st.text(), values, max_size=3))
def test_request_round_trip(id_: int | str, method: str, params: dict[str, Any]) -> None:
    """A request is one line, and is read as it was written."""
    sent = protocol.request(id_, method, params)
    assert sent.index(b"\n") == len(sent) - 1
    assert protocol.parse_request(sent) == protocol.Request(id_, method, params)


@given(ids, values)
def test_result_round_trip(id_: int | str, value: Any) -> None:
    """A result is one line, and is read as it was written."""
    sent = protocol.result(id_, value)
    assert sent.index(b"\n") == len(sent) - 1
    assert protocol.parse_reply(sent) == protocol.Reply(id_, value, None)


def test_every_message_carries_the_version() -> None:
    """Request, result and error say "portsup": 1 and "jsonrpc": "2.0"."""
    for sent in (protocol.request(1, "down", {}), protocol.result(1, {}), protocol.error(None, -1, "no")):
        assert json.loads(sent)["portsup"] == 1
        assert json.loads(sent)["jsonrpc"] == "2.0"


def test_failure_travels_whole() -> None:
    """Message, details, hint and exit code of a PortsupError arrive at the command."""
    failure = NoFreePort("no free port for api in 9000-9002", details=["9000  x", "9001  y"], hint="wait")
    reply = protocol.parse_reply(protocol.error(7, protocol.FAILED, failure.message, failure))
    assert reply.failure is not None
    assert reply.failure.to_json() == failure.to_json()


def test_other_errors_become_a_portsup_error() -> None:
    """An error of the protocol itself is shown by its message."""
    reply = protocol.parse_reply(protocol.error(None, protocol.PARSE_ERROR, "the line is not JSON"))
    assert isinstance(reply.failure, PortsupError)
    assert reply.failure.message == "the line is not JSON"


@pytest.mark.parametrize(
    ("sent", "code", "id_"),
    [
        (b"", protocol.PARSE_ERROR, None),
        (b"hello", protocol.PARSE_ERROR, None),
        (b"\xff\xfe{", protocol.PARSE_ERROR, None),
        (b'{"id": 1', protocol.PARSE_ERROR, None),
        (b"[" * 100_000, protocol.PARSE_ERROR, None),
        (b"1" * 10_000, protocol.PARSE_ERROR, None),
        (b"[" + line() + b"]", protocol.INVALID_REQUEST, None),
        (b"[]", protocol.INVALID_REQUEST, None),
        (b"null", protocol.INVALID_REQUEST, None),
        (b'"x"', protocol.INVALID_REQUEST, None),
        (b"{}", protocol.INVALID_REQUEST, None),
        (line(id=None), protocol.INVALID_REQUEST, None),
        (line(id=True), protocol.INVALID_REQUEST, None),
        (line(id=1.5), protocol.INVALID_REQUEST, None),
        (line(id=[1]), protocol.INVALID_REQUEST, None),
        (line(portsup=2), protocol.INVALID_REQUEST, 1),
        (line(portsup=True), protocol.INVALID_REQUEST, 1),
        (line(portsup="1"), protocol.INVALID_REQUEST, 1),
        (line(portsup=None), protocol.INVALID_REQUEST, 1),
        (line(jsonrpc="1.0"), protocol.INVALID_REQUEST, 1),
        (line(method=5, id="a"), protocol.INVALID_REQUEST, "a"),
        (line(params=[1]), protocol.INVALID_PARAMS, 1),
        (line(params=None), protocol.INVALID_PARAMS, 1),
    ],
)
def test_bad_request(sent: bytes, code: int, id_: int | str | None) -> None:
    """Each kind of nonsense has its code, and the sender's id where there is one."""
    with pytest.raises(BadMessageError) as caught:
        protocol.parse_request(sent)
    assert (caught.value.code, caught.value.id) == (code, id_)


def test_params_may_be_left_out() -> None:
    """A request without params has none."""
    assert protocol.parse_request(line()).params == {}


@pytest.mark.parametrize("found", [2, 0, "1", None, 10**4000, {"a": 1}])
def test_wrong_version_is_a_sentence(found: Any) -> None:
    """A peer of another version is told which one is spoken here, whatever it sent."""
    with pytest.raises(BadMessageError, match=r"speaks version 1 .* use the portsup that started") as caught:
        protocol.parse_request(line(portsup=found))
    assert len(caught.value.message) < 200


@given(st.binary(max_size=200) | values.map(lambda value: json.dumps(value).encode()))
def test_nothing_but_bad_message_is_raised(sent: bytes) -> None:
    """Whatever comes in, reading it gives a message or BadMessageError."""
    for parse in (protocol.parse_request, protocol.parse_reply):
        try:
            parse(sent)
        except BadMessageError as bad:
            assert bad.message


@given(values)
def test_any_object_as_error_is_read_or_refused(problem: Any) -> None:
    """A reply whose error is malformed is refused as a reply, not by an exception of its own."""
    sent = json.dumps(
        {"jsonrpc": "2.0", "portsup": 1, "id": 1, "error": {"code": -32000, "message": "x", "data": problem}}
    )
    try:
        assert protocol.parse_reply(sent.encode()).failure is not None
    except BadMessageError as bad:
        assert bad.id == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, b"x"])
def test_what_json_cannot_carry_is_refused(value: Any) -> None:
    """A result that isn't JSON raises where it is written, not where it is read."""
    with pytest.raises((TypeError, ValueError)):
        protocol.result(1, value)
