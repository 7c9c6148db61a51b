"""What the tools answer, as types: the schemas that clients see are made of these."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

from supervisor.snapshot import InstanceSnapshot
from supervisor.terminal import tame


def plain(value: Any) -> Any:
    """A text as every client can show it: without control codes, and what UTF-8 can't carry as escapes."""
    if not isinstance(value, str):
        return value
    return tame(value.encode("utf-8", "backslashreplace"), styles=False).decode()


Text = Annotated[str, BeforeValidator(plain)]


class Service(BaseModel):
    name: Text
    state: Annotated[
        Text,
        Field(
            description="PENDING (waits for what it depends on), STARTING, RUNNING (ready), BACKOFF (is "
            "started again soon), STOPPING, STOPPED, EXITED or FATAL (given up)"
        ),
    ]
    ready: bool
    port: int | None
    ports: dict[Text, int]
    """Of each pool; the main one is called "port"."""
    url: Text | None
    pid: int | None
    restarts: int
    uptime_s: float | None
    exit: Annotated[Text | None, Field(description="how its last process ended")]
    reason: Annotated[Text | None, Field(description="why it is in this state, where that isn't plain")]


class Instance(BaseModel):
    instance_id: Annotated[Text, Field(description="names exactly this run of this instance")]
    stack: Text
    instance: Annotated[int, Field(description="its number, from 1; worktrees and stacks share the numbers")]
    state: Annotated[
        Text,
        Field(description="starting, running (all ready), degraded, stopping, suspended or unreachable"),
    ]
    worktree: Annotated[Text, Field(description="the folder of its services.toml")]
    config: Text
    base_port: int
    services: list[Service]

    @staticmethod
    def of(snapshot: InstanceSnapshot) -> Instance:
        worktree = os.fspath(Path(snapshot.config).parent)
        return Instance.model_validate({**snapshot.to_json(), "worktree": worktree})


class Instances(BaseModel):
    here: Annotated[
        Text | None,
        Field(description="the worktree that is meant where a call names none; null if there is none"),
    ]
    instances: list[Instance]


class Logs(BaseModel):
    instance_id: Text
    service: Text
    lines: list[Text]
    left_out: Annotated[bool, Field(description="whether older lines fit no more")]


class Happening(BaseModel):
    time: Annotated[float, Field(description="seconds since 1970")]
    level: Text
    event: Text
    message: Text
    service: Text | None
    pid: int | None
    port: int | None


class Events(BaseModel):
    instance_id: Text
    events: list[Happening]


class Variables(BaseModel):
    instance_id: Text
    variables: dict[Text, Text]


class Why(BaseModel):
    port: int
    holding: Annotated[
        Text,
        Field(
            description="free, held (its instance lives), claiming, leftover (its supervisor is dead, some "
            "of what it started lives), stale (only a lock is left), foreign (no lock, and somebody "
            "listens) or unusable (its lock file is no file)"
        ),
    ]
    line: Annotated[Text, Field(description="the same in words")]
    hint: Annotated[Text, Field(description="how to free it, if that is what is wanted")]
    instance_id: Annotated[Text | None, Field(description="whose it is")]
    service: Text | None

    @staticmethod
    def of(told: Mapping[str, Any]) -> Why:
        """What `portsup why --json` prints."""
        holder = told["record"] or {}
        names = {name: holder.get(name) for name in ("instance_id", "service")}
        return Why.model_validate({**told, **names})


class Up(BaseModel):
    instance: Instance
    notes: list[Text]


class Down(BaseModel):
    instance_id: Text
    instance: int


class Services(BaseModel):
    instance_id: Text
    services: list[Service]
