"""JSON-RPC 2.0 over a Unix socket, one message a line. Leaf.

Both ends put their protocol version into every message as "portsup". Batches and notifications are
refused: every method answers, and a pipeline of requests does what a batch would.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeGuard

from supervisor.errors import ExitCode, PortsupError

VERSION = 1
"""Sent with each message as "portsup"; a peer of another version is refused with a sentence."""

MAX_LINE = 1_048_576
"""Bytes; a longer request is answered with an error and the connection closed."""

MAX_REPLY = 16 * MAX_LINE
"""Bytes; a client reads no further, whoever is at the other end."""

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL_ERROR = (
    -32700,
    -32600,
    -32601,
    -32602,
    -32603,
)
FAILED = -32000
"""The call was understood and failed; `data` is a PortsupError as JSON."""

METHODS = (
    "snapshot",
    "down",
    "start",
    "stop",
    "restart",
    "reload",
    "wait",
    "env",
    "stats",
    "attach",
    "resize",
)

ATTACH = "attach"
"""After its result the connection is no longer one of lines, as after HTTP's Upgrade: whatever the client
sends is typed, and it gets news (see `news`), until one of the two hangs up. A client sends nothing before
it has the result."""

UNHURRIED = frozenset({"start", "stop", "restart", "reload", "wait"})
"""Answered when done, however long that takes: a client waits without limit unless told otherwise."""

ABANDONABLE = frozenset({"wait"})
"""Given up when the caller hangs up. Whatever changes something is carried through instead."""

Id = int | str


class BadMessageError(Exception):
    """A line that is no message of this protocol; `id` is the sender's, where it can be told."""

    def __init__(self, code: int, message: str, id_: Id | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.id = id_


class Request(NamedTuple):
    """What a client asks."""

    id: Id
    method: str
    params: Mapping[str, Any]


class Reply(NamedTuple):
    """`failure` is None for a result."""

    id: Id | None
    result: Any
    failure: PortsupError | None


def request(id_: Id, method: str, params: Mapping[str, Any]) -> bytes:
    """Raises TypeError or ValueError for params that JSON can't carry."""
    return _line({"id": id_, "method": method, "params": dict(params)})


def result(id_: Id, value: Any) -> bytes:
    """Raises TypeError or ValueError for a value that JSON can't carry."""
    return _line({"id": id_, "result": value})


def error(id_: Id | None, code: int, message: str, data: PortsupError | None = None) -> bytes:
    problem: dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        problem["data"] = data.to_json()
    return _line({"id": id_, "error": problem})


def news(output: bytes, typed: int, ended: str | None) -> bytes:
    """What a client that is attached gets, again and again: a line of JSON that says how many bytes of
    output follow it, how many of the client's have been typed by now, and, in the last one, why it is the
    last."""
    return _line({"bytes": len(output), "typed": typed, "ended": ended}) + output


def parse_news(line: bytes) -> tuple[int, int, str | None]:
    """Bytes that follow, bytes typed, and why nothing follows those. Raises BadMessageError."""
    message = _parse(line)
    count, typed, ended = (message.get(key) for key in ("bytes", "typed", "ended"))
    if not _is_count(count) or count > MAX_REPLY or not _is_count(typed) or not isinstance(ended, str | None):
        raise BadMessageError(INVALID_REQUEST, "this is no news of a terminal")
    return count, typed, ended


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def parse_request(line: bytes) -> Request:
    """Raises BadMessageError."""
    message = _parse(line)
    id_ = message.get("id")
    if isinstance(id_, bool) or not isinstance(id_, int | str):
        raise BadMessageError(INVALID_REQUEST, "a request needs an id that is a whole number or a string")
    _check_version(message, id_)
    method, params = message.get("method"), message.get("params", {})
    if message.get("jsonrpc") != "2.0" or not isinstance(method, str):
        raise BadMessageError(INVALID_REQUEST, 'a request needs "jsonrpc": "2.0" and a method', id_)
    if not isinstance(params, dict):
        raise BadMessageError(INVALID_PARAMS, "params must be an object", id_)
    return Request(id_, method, params)


def parse_reply(line: bytes) -> Reply:
    """Raises BadMessageError."""
    message = _parse(line)
    id_ = message.get("id")
    if isinstance(id_, bool) or not isinstance(id_, int | str | None):
        raise BadMessageError(INVALID_REQUEST, "the reply has no usable id")
    _check_version(message, id_)
    if "result" in message:
        return Reply(id_, message["result"], None)
    return Reply(id_, None, _failure(message.get("error"), id_))


def _line(message: dict[str, Any]) -> bytes:
    envelope = {"jsonrpc": "2.0", "portsup": VERSION, **message}
    return json.dumps(envelope, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"


def _parse(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line.decode(), parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError):
        raise BadMessageError(PARSE_ERROR, "the line is not JSON in UTF-8") from None
    if isinstance(message, dict):
        return message
    if isinstance(message, list):
        raise BadMessageError(INVALID_REQUEST, "batches are not answered: send one request a line")
    raise BadMessageError(INVALID_REQUEST, "a message is a JSON object")


def _finite(number: str) -> float:
    """Raises ValueError for NaN and Infinity, which JSON doesn't have, and for 1e999, which gives one."""
    value = float(number)
    if not math.isfinite(value):
        raise ValueError("is not a finite number")
    return value


def _check_version(message: Mapping[str, Any], id_: Id | None) -> None:
    found = message.get("portsup")
    if type(found) is int and found == VERSION:
        return
    spoken = f"version {found}" if type(found) is int and 0 <= found < 10_000 else "no known version"
    raise BadMessageError(
        INVALID_REQUEST,
        f"this end speaks version {VERSION} of portsup's protocol, the other end {spoken}: "
        "use the portsup that started the instance",
        id_,
    )


def _failure(problem: Any, id_: Id | None) -> PortsupError:
    if not isinstance(problem, dict) or not isinstance(problem.get("message"), str):
        raise BadMessageError(INVALID_REQUEST, "the reply has neither result nor error", id_)
    if problem.get("code") != FAILED:
        bug = problem.get("code") == INTERNAL_ERROR
        return PortsupError(problem["message"], exit_code=ExitCode.INTERNAL if bug else None)
    try:
        return PortsupError.from_json(problem.get("data"))
    except ValueError:
        raise BadMessageError(INVALID_REQUEST, "the reply's error can't be read", id_) from None
