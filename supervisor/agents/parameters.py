"""What the tools' parameters have in common: how a call names an instance and a service."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

InstanceId = Annotated[
    str | None,
    Field(max_length=200, description="exactly this instance, as list_instances names it; the safest way"),
]
Folder = Annotated[
    str | None,
    Field(
        max_length=4096,
        description="the worktree that is meant: the folder of its services.toml; default: the one in which "
        "this server was started",
    ),
]
Number = Annotated[
    int | None,
    Field(ge=1, le=65535, description="the instance's number, where a worktree has several"),
]
ServiceName = Annotated[
    str, Field(min_length=1, max_length=200, description="a service of the instance, by its name")
]
