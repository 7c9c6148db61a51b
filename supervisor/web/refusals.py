"""What goes wrong, over HTTP: a status that fits, and a sentence in JSON."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from supervisor.errors import MORE_DESCRIPTORS, NO_DESCRIPTORS, ExitCode, NotRunning, PortsupError
from supervisor.loopback import token
from supervisor.web.answers import AsciiJSON

STATUS: dict[int, int] = {ExitCode.USAGE: 404, ExitCode.INTERNAL: 500}
"""Of errors by their exit code; whatever else an instance refuses is in conflict with how things are."""


async def of_portsup(_request: Request, error: Exception) -> Response:
    assert isinstance(error, PortsupError)
    headers = {"WWW-Authenticate": "Bearer"} if isinstance(error, token.UnauthorizedError) else None
    return AsciiJSON(body_of(error), status_code=_status(error), headers=headers)


async def of_http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    hint = "GET / lists what there is" if error.status_code == HTTPStatus.NOT_FOUND else None
    return AsciiJSON(_body(error.detail, hint=hint), status_code=error.status_code, headers=error.headers)


async def of_system(_request: Request, error: Exception) -> Response:
    """Without a descriptor nobody can look at anything: 503. Raises every other `error` again."""
    if not isinstance(error, OSError) or error.errno not in NO_DESCRIPTORS:
        raise error
    exhausted = PortsupError("no file descriptors are left", hint=MORE_DESCRIPTORS)
    return AsciiJSON(body_of(exhausted), status_code=503)


async def of_ours(_request: Request, error: Exception) -> Response:
    return AsciiJSON(_body(f"portsup serve failed inside ({type(error).__name__})"), status_code=500)


def body_of(error: PortsupError) -> dict[str, Any]:
    return _body(error.message, error.details, error.hint)


def _body(message: str, details: Iterable[str] = (), hint: str | None = None) -> dict[str, Any]:
    return {"error": message, "details": list(details), "hint": hint}


def _status(error: PortsupError) -> int:
    match error:
        case token.UnauthorizedError():
            return 401
        case token.TokenFileError():
            return 500
        case NotRunning():
            return 503
        case _:
            return STATUS.get(error.exit_code, 409)
