"""What a request asks for: its query, the instance that it means, and the token that it shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request

from supervisor.loopback import token
from supervisor.monitor.instances import Filter, Hints, only
from supervisor.records import InstanceRecord
from supervisor.web.answers import whole_number

HINTS = Hints("GET /api/v1/services lists them", "name the stack: ?stack=NAME, or the instance: ?id=ID")

WHICH = ("stack", "id")
"""The parameters by which one of several instances of a number is named."""


def query(request: Request, *known: str) -> Mapping[str, str]:
    """Raises HTTPException 400 for a parameter that isn't `known`, or that is there twice: what somebody
    meant by it isn't guessed."""
    given = request.query_params
    for name in given:
        if name not in known:
            raise HTTPException(400, f"unknown parameter {name!r}; known: {', '.join(known) or 'none'}")
        if len(given.getlist(name)) > 1:
            raise HTTPException(400, f"{name} is there twice")
    return given


def count(given: Mapping[str, str], name: str, default: int, most: int) -> int:
    """A whole number of the query. Raises HTTPException 400 if it is none, or above `most`."""
    if name not in given:
        return default
    number = whole_number(given[name], digits=len(str(most)))
    if number is None or number > most:
        raise HTTPException(400, f"{name} must be a whole number up to {most}")
    return number


def any_instances(given: Mapping[str, str]) -> Filter:
    """Those that ?instance=, ?stack= and ?id= leave. Raises HTTPException 400."""
    instance = given.get("instance")
    number = whole_number(instance)
    if instance is not None and number is None:
        raise HTTPException(400, "instance must be a whole number")
    return Filter(number, given.get("stack"), given.get("id"))


async def instance(request: Request, folder: Path, given: Mapping[str, str]) -> InstanceRecord:
    """The one whose number stands in the path. Raises HTTPException 400; UsageError if there is none,
    PortsupError if there are several."""
    number = whole_number(request.path_params["number"])
    if number is None:
        raise HTTPException(400, "the instance must be a whole number")
    wanted = Filter(number, given.get("stack"), given.get("id"))
    return await to_thread.run_sync(only, folder, wanted, HINTS)


async def authorize(request: Request, token_file: Path) -> None:
    """Raises UnauthorizedError, TokenFileError."""
    shown = [value for name, value in request.headers.raw if name == b"authorization"]
    await to_thread.run_sync(token.check, token_file, shown)
