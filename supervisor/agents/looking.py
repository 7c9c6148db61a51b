"""The tools that change nothing."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from itertools import chain, islice
from pathlib import Path
from typing import Annotated

from anyio import CapacityLimiter
from mcp.types import CallToolResult
from pydantic import Field

from supervisor import moments
from supervisor.agents import command, words
from supervisor.agents.answer import answer
from supervisor.agents.choice import Choice, Wish
from supervisor.agents.parameters import Folder, InstanceId, Number, ServiceName
from supervisor.agents.results import Events, Happening, Instance, Instances, Logs, Variables, Why, plain
from supervisor.control import client, registry
from supervisor.errors import UsageError
from supervisor.marker import UNIT
from supervisor.monitor.events import Event, EventFollower
from supervisor.monitor.service_log import LogFollower, LogLine
from supervisor.records import InstanceRecord

LINES_MAX = 1000
TEXT_MAX = 64_000
"""Characters of a log that are answered, the newest; a model has to read them all."""

BATCHES = 100
"""Of lines that are read at most: enough for the longest ones, and a service that never pauses has an end."""

EVENTS_MAX = 200

WHY_SECONDS = 20.0

WHY_AT_ONCE = 4
"""Each is a process of its own, and over HTTP everyone may ask."""


class Looking:
    def __init__(self, choice: Choice) -> None:
        self._choice = choice
        self._asking_why = CapacityLimiter(WHY_AT_ONCE)

    def list_instances(self) -> Annotated[CallToolResult, Instances]:
        """List every running instance on this machine that this user may see, of every worktree, with its
        services: state, port, url, restarts, how the last process ended and why. Start here."""
        found = registry.snapshots_of(self._choice.all())
        listed = Instances(here=self._choice.folder(), instances=[Instance.of(one) for one in found])
        return answer(listed, words.instances(listed))

    def status(
        self, instance_id: InstanceId = None, folder: Folder = None, instance: Number = None
    ) -> Annotated[CallToolResult, Instance]:
        """Show one instance with its services. Without arguments, the one of this worktree."""
        record = self._choice.one(Wish(instance_id, folder, instance))
        shown = Instance.of(client.snapshot(record))
        return answer(shown, words.instance(shown))

    def logs(
        self,
        service: ServiceName,
        lines: Annotated[int, Field(ge=1, le=LINES_MAX, description="how many of the last lines")] = 100,
        since: Annotated[
            str | None, Field(description=f"only lines from then on, {moments.FORM}", max_length=100)
        ] = None,
        instance_id: InstanceId = None,
        folder: Folder = None,
        instance: Number = None,
    ) -> Annotated[CallToolResult, Logs]:
        """Read what a service of a running instance printed last, on stdout and stderr, without colours."""
        record = self._choice.one(Wish(instance_id, folder, instance))
        _check_service(record, service)
        kept, left_out = _newest(record, service, lines, _moment(since))
        shown = Logs(instance_id=record.instance_id, service=service, lines=kept, left_out=left_out)
        return answer(shown, words.logs(shown))

    def events(
        self,
        limit: Annotated[int, Field(ge=1, le=EVENTS_MAX, description="how many of the last events")] = 50,
        instance_id: InstanceId = None,
        folder: Folder = None,
        instance: Number = None,
    ) -> Annotated[CallToolResult, Events]:
        """Show what happened lately in an instance: starts, exits, restarts, ports claimed and lost,
        warnings. The place to look for why a service restarted."""
        record = self._choice.one(Wish(instance_id, folder, instance))
        found: deque[Event] = deque(maxlen=limit)
        with closing(EventFollower(record, last=limit)) as follower:
            while len(found) < limit and (batch := follower.more()):
                found += batch
        happened = [Happening.model_validate(event.to_json()) for event in found]
        return answer(Events(instance_id=record.instance_id, events=happened), words.events(happened))

    def env(
        self, instance_id: InstanceId = None, folder: Folder = None, instance: Number = None
    ) -> Annotated[CallToolResult, Variables]:
        """Show the variables that an instance gives to all of its services: PORTSUP_<SERVICE>_PORT and
        PORTSUP_<SERVICE>_URL of each, and which instance it is. What services.toml and .env set is not among
        them."""
        record = self._choice.one(Wish(instance_id, folder, instance))
        with client.reach(record) as connection:
            found = client.read_variables(record, connection.call("env", service=None))
        shown = {name: plain(value) for name, value in found.items() if name != UNIT}
        return answer(Variables(instance_id=record.instance_id, variables=shown), words.variables(shown))

    async def why(self, port: Annotated[int, Field(ge=1, le=65535)]) -> Annotated[CallToolResult, Why]:
        """Say who holds a port (an instance's service, a leftover of a dead one, a foreign process, nobody)
        and what to do next."""
        async with self._asking_why:
            done = await command.run(["why", str(port), "--json"], WHY_SECONDS)
        told = Why.of(json.loads(done.stdout))
        return answer(told, words.why(told))


def _check_service(record: InstanceRecord, service: str) -> None:
    """Raises UsageError unless the instance has it: a name is a part of a path, too."""
    known = [one.name for one in client.snapshot(record).services]
    known = known or [path.stem for path in Path(record.logs).glob("*.log")]  # where nobody answers
    if service not in known:
        raise UsageError(f"there is no service {service!r}", hint=f"there are: {', '.join(sorted(known))}")


def _moment(since: str | None) -> int | None:
    """Milliseconds since 1970. Raises UsageError."""
    if since is None:
        return None
    try:
        return round(moments.moment(since.strip(), time.time()) * 1000)
    except (ValueError, OverflowError, OSError) as wrong:
        raise UsageError(f"{since!r} is no time: write it {moments.FORM}") from wrong


def _newest(record: InstanceRecord, service: str, lines: int, since: int | None) -> tuple[list[str], bool]:
    """The newest of the last `lines` that have room, and whether older ones had none."""
    kept: deque[str] = deque()
    length, left_out = 0, False
    with closing(LogFollower(record, service, lines=lines, since=since)) as follower:
        for batch in _batches(follower):
            for text in chain.from_iterable(plain(line.text).split("\n") for line in batch):
                kept.append(text[-TEXT_MAX:])
                length += len(kept[-1])
                while length > TEXT_MAX:
                    length -= len(kept.popleft())
                    left_out = True
    return list(kept)[-lines:], left_out


def _batches(follower: LogFollower) -> Iterator[list[LogLine]]:
    """Last what has no end yet: were more asked for behind it, its end would be a line of its own."""
    yield from islice(iter(follower.more, []), BATCHES)
    yield follower.finish()
