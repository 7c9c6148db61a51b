"""The control socket's lines, as the server and as the client read them."""

from __future__ import annotations

import json

from supervisor.cli import main, views
from supervisor.control import protocol
from supervisor.errors import PortsupError
from supervisor.snapshot import InstanceSnapshot


def check(data: bytes) -> None:
    for line in data.split(b"\n"):
        _check_as_request(line)
        _check_as_reply(line)


def _check_as_request(line: bytes) -> None:
    """It is answered, and what is understood can be said again."""
    try:
        request = protocol.parse_request(line)
    except protocol.BadMessageError as bad:
        _check_refusal(bad)
        return
    assert protocol.parse_request(protocol.request(request.id, request.method, request.params)) == request
    assert protocol.parse_reply(protocol.result(request.id, None)).id == request.id


def _check_refusal(bad: protocol.BadMessageError) -> None:
    refusal = protocol.error(bad.id, bad.code, bad.message)
    assert refusal.count(b"\n") == 1 and refusal.endswith(b"\n")
    assert len(bad.message) < 300
    reply = protocol.parse_reply(refusal)
    assert reply.id == bad.id and reply.failure is not None and reply.failure.message == bad.message


def _check_as_reply(line: bytes) -> None:
    """A command can show it: the failure, or the snapshot that it holds."""
    try:
        reply = protocol.parse_reply(line)
    except protocol.BadMessageError as bad:
        _check_refusal(bad)
        return
    if reply.failure is not None:
        check_failure(reply.failure)
        return
    try:
        snapshot = InstanceSnapshot.from_json(reply.result)
    except ValueError:
        return
    check_shown(snapshot)


def check_failure(failure: PortsupError) -> None:
    """It can be shown and passed on, and its exit code says that something failed."""
    assert all(line.isprintable() for line in main.render(failure, colour=False))
    assert 0 < failure.exit_code < 256
    assert PortsupError.from_json(json.loads(json.dumps(failure.to_json()))).to_json() == failure.to_json()


def check_shown(snapshot: InstanceSnapshot) -> None:
    """Both ways in which `status` shows an instance."""
    shown = json.dumps(snapshot.to_json(), allow_nan=False)
    assert InstanceSnapshot.from_json(json.loads(shown)).to_json() == snapshot.to_json()
    assert all(column.width() for column in views.status_view([snapshot]).columns)
