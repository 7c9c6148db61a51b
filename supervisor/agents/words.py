"""The tools' answers as text, for a client that shows it or a model that reads it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from supervisor.agents.results import Happening, Instance, Instances, Logs, Service, Why
from supervisor.errors import PortsupError


def instances(found: Instances) -> str:
    return "\n".join(map(instance, found.instances)) or "no instance is up"


def instance(one: Instance) -> str:
    title = f"{one.stack} instance {one.instance} ({one.instance_id}): {one.state}, base port {one.base_port}"
    return "\n".join([f"{title}, {one.worktree}", *(f"  {service(found)}" for found in one.services)])


def services(found: Iterable[Service]) -> str:
    return "\n".join(map(service, found))


def service(one: Service) -> str:
    words = [one.name, one.state]
    if one.url is not None and one.pid is not None:
        words.append(one.url)
    text = " ".join(words)
    return f"{text}: {one.reason}" if one.reason else text


def logs(found: Logs) -> str:
    if not found.lines:
        return f"{found.service} has printed nothing"
    older = ["(older lines are left out)"] if found.left_out else []
    return "\n".join([*older, *found.lines])


def events(found: Iterable[Happening]) -> str:
    return "\n".join(map(_event, found)) or "nothing has happened"


def _event(one: Happening) -> str:
    at = datetime.fromtimestamp(one.time, UTC)
    who = f"{one.service}: " if one.service else ""
    return f"{at:%Y-%m-%d %H:%M:%S}Z {one.level} {who}{one.message}"


def variables(found: dict[str, str]) -> str:
    return "\n".join(f"{name}={value}" for name, value in found.items())


def why(found: Why) -> str:
    return found.line if found.holding == "free" else f"{found.line}\nto free it: {found.hint}"


def failure(error: PortsupError) -> str:
    """Message, details and hint, as the command line shows them."""
    return "\n".join(_lines_of(error))


def _lines_of(error: PortsupError) -> Iterator[str]:
    yield error.message
    yield from (f"  {line}" for line in error.details)
    if error.hint:
        yield f"hint: {error.hint}"
