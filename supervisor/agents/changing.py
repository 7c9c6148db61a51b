"""The tools that change something; they are there only where the server was started to allow it."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Annotated, Literal

import anyio
from anyio import to_thread
from mcp.types import CallToolResult
from pydantic import Field

from supervisor.agents import command, words
from supervisor.agents.answer import answer
from supervisor.agents.choice import Choice, Wish
from supervisor.agents.parameters import Folder, InstanceId, Number, ServiceName
from supervisor.agents.results import Down, Instance, Service, Services, Up
from supervisor.control import client
from supervisor.errors import PortsupError, UsageError
from supervisor.records import InstanceRecord
from supervisor.snapshot import ServiceSnapshot

UP_SECONDS = 600.0
"""At most for a start, however long the services' own timeouts are."""

DOWN_SECONDS = 120.0

CHANGE_SECONDS = 120.0
"""How long a start, stop or restart of services is waited for; the instance goes on with it."""

ANSWER_SECONDS = 5.0
"""For the rest of an answer that has begun."""

_IS_UP = re.compile(r" instance (\d+) is up, base port \d+$", re.MULTILINE)
"""What `portsup up -d` says at the end."""

Seconds = Annotated[
    float | None,
    Field(gt=0, le=UP_SECONDS, description="default: as long as the services' own timeouts take"),
]
ServiceNames = Annotated[list[ServiceName], Field(min_length=1, max_length=100)]


class Changing:
    def __init__(self, choice: Choice, marker: str | None) -> None:
        """`marker` is what this server is marked with as a service: it can't do what ends it."""
        self._choice = choice
        self._own_instance, _, self._own_service = (marker or "").partition("/")

    async def up(
        self,
        folder: Folder = None,
        instance: Annotated[
            int | Literal["auto"] | None,
            Field(
                description='a number from 1, or "auto" for the lowest free one; default: the last one of '
                "this worktree"
            ),
        ] = None,
        services: Annotated[
            list[ServiceName] | None,
            Field(max_length=100, description="only these and what they depend on; default: all"),
        ] = None,
        wait: Annotated[bool, Field(description="return when every service is ready, or one fails")] = True,
        timeout_seconds: Seconds = None,
    ) -> Annotated[CallToolResult, Up]:
        """Start an instance of a worktree's services.toml in the background, each service on a free port of
        its own. If a service fails, the error says why, and the rest stays up to be looked at."""
        if self._own_instance:
            raise _within(self._own_instance)
        config = self._choice.config(folder)
        _check_file(config)
        options = ["--wait" if wait else "--detach", "--file", str(config)]
        if instance is not None:
            options += ["--instance", str(instance)]
        if wait and timeout_seconds is not None:
            options += ["--timeout", str(timeout_seconds)]
        done = await command.run(["up", *options, "--", *(services or ())], UP_SECONDS)
        said = command.notes(done)
        record = await to_thread.run_sync(self._choice.up, config, _number(done.stderr))
        shown = Instance.of(await to_thread.run_sync(client.snapshot, record))
        result = Up(instance=shown, notes=said)
        return answer(result, "\n".join([*result.notes, words.instance(shown)]))

    async def down(
        self, instance_id: InstanceId = None, folder: Folder = None, instance: Number = None
    ) -> Annotated[CallToolResult, Down]:
        """Stop all services of an instance and give its ports back. Its data folder stays."""
        record = await to_thread.run_sync(self._choice.one, Wish(instance_id, folder, instance))
        if record.instance_id == self._own_instance:
            raise _suicide("down", record)
        chosen = ["--instance", str(record.instance), "--file", record.config]
        done = await command.run(["down", "--timeout", str(DOWN_SECONDS), *chosen], DOWN_SECONDS + 10)
        result = Down(instance_id=record.instance_id, instance=record.instance)
        return answer(result, "\n".join(command.notes(done)))

    async def start(
        self,
        services: ServiceNames,
        instance_id: InstanceId = None,
        folder: Folder = None,
        instance: Number = None,
    ) -> Annotated[CallToolResult, Services]:
        """Start services of a running instance, and what they depend on, and wait until they are ready."""
        return await self._call("start", services, Wish(instance_id, folder, instance))

    async def stop(
        self,
        services: ServiceNames,
        instance_id: InstanceId = None,
        folder: Folder = None,
        instance: Number = None,
    ) -> Annotated[CallToolResult, Services]:
        """Stop services of a running instance and give their ports back."""
        return await self._call("stop", services, Wish(instance_id, folder, instance))

    async def restart(
        self,
        services: ServiceNames,
        instance_id: InstanceId = None,
        folder: Folder = None,
        instance: Number = None,
    ) -> Annotated[CallToolResult, Services]:
        """Restart services of a running instance on the ports that they have, and wait until they are
        ready."""
        return await self._call("restart", services, Wish(instance_id, folder, instance))

    async def _call(self, verb: str, services: list[str], wish: Wish) -> CallToolResult:
        record = await to_thread.run_sync(self._choice.one, wish)
        if verb != "start" and record.instance_id == self._own_instance and self._own_service in services:
            raise _suicide(verb, record)
        after = await _asked(record, verb, list(dict.fromkeys(services)))
        shown = [Service.model_validate(service.to_json()) for service in after]
        if not all(map(client.REACHED[verb], after)):
            raise PortsupError(
                f"{verb} failed",
                details=[words.service(one) for one in shown],
                hint="the tools logs and events show why",
            )
        return answer(Services(instance_id=record.instance_id, services=shown), words.services(shown))


async def _asked(record: InstanceRecord, verb: str, services: list[str]) -> list[ServiceSnapshot]:
    """The services afterwards. No thread waits for them: a start may take its time, and many may wait."""
    with await to_thread.run_sync(client.reach, record) as connection:
        id_ = connection.ask(verb, {"services": services})
        with anyio.move_on_after(CHANGE_SECONDS) as waited:
            await anyio.wait_readable(connection.fileno())
        if waited.cancelled_caught:
            raise PortsupError(
                f"{verb} of {', '.join(services)} takes longer than {CHANGE_SECONDS:g} s, and goes on",
                hint="the tool status shows how far it is",
            )
        deadline = time.monotonic() + ANSWER_SECONDS
        reply = await to_thread.run_sync(connection.answer, id_, deadline)
    return client.read_services(record, reply)


def _check_file(config: Path) -> None:
    """A missing one is the command's to tell; a pipe it would wait for, and read a device to its end.

    Raises UsageError.
    """
    if os.path.exists(config) and not os.path.isfile(config):  # noqa: PTH110, PTH113 - they raise nothing
        raise UsageError(f"{config} is not a file")


def _number(said: str) -> int:
    found = _IS_UP.findall(said)
    if not found:
        raise PortsupError("the instance is up, and its number isn't known", hint="list_instances shows it")
    return int(found[-1])


def _within(instance_id: str) -> UsageError:
    """Its supervisor adopts whatever a service leaves behind, a daemon too, and ends that in the end."""
    return UsageError(
        f"this server is a service of {instance_id}, and what it starts would be ended with that instance",
        hint="run `portsup up -d` in a terminal, or start this server outside of an instance",
    )


def _suicide(verb: str, record: InstanceRecord) -> UsageError:
    return UsageError(
        f"{verb} would end this server, which is a service of {record.instance_id}",
        hint=f"run `portsup {verb}` in a terminal",
    )
