"""JSON-RPC 2.0 over a Unix socket, one message a line. Leaf."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from supervisor.errors import PortsupError

VERSION = 1
"""Sent with each message as "portsup"; a peer of another version is refused with a sentence."""

MAX_LINE = 1_048_576
"""Bytes; a longer line is answered with an error and the connection closed."""

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, INTERNAL_ERROR = (
    -32700,
    -32600,
    -32601,
    -32602,
    -32603,
)
FAILED = -32000
"""The call was understood and failed; `data` is a PortsupError as JSON."""

METHODS = ("snapshot", "down", "start", "stop", "restart", "wait", "env", "stats")


def request(id_: int, method: str, params: Mapping[str, Any]) -> bytes:
    raise NotImplementedError


def result(id_: int | str | None, value: Any) -> bytes:
    raise NotImplementedError


def error(id_: int | str | None, code: int, message: str, data: PortsupError | None = None) -> bytes:
    raise NotImplementedError
