"""What must hold between a service's keys, and between services' names."""

from __future__ import annotations

import os
from collections.abc import Sequence

from supervisor.config import variables
from supervisor.config.model import MAIN_POOL, ReadyKind
from supervisor.config.services import Draft


def check(drafts: Sequence[Draft]) -> None:
    _check_names(drafts)
    for draft in drafts:
        _check_ready(draft)
        _check_cwd(draft)


def _check_names(drafts: Sequence[Draft]) -> None:
    """Every service's PORTSUP_<SERVICE>_PORT and _URL must be its own."""
    owners: dict[str, str] = {}
    for draft in drafts:
        given = {variables.port_of(draft.name), variables.url_of(draft.name)}
        for taken in sorted(given & variables.OWN):
            draft.field.wrong(f"{taken} is a variable of portsup's own", "give the service another name")
        other = owners.setdefault(variables.port_of(draft.name), draft.name)
        if other != draft.name:
            clash = f'"{other}" gives the same variable, {variables.port_of(draft.name)}'
            draft.field.wrong(clash, "give one of the two another name")


def _check_ready(draft: Draft) -> None:
    kind = draft.service.ready.kind
    if kind in (ReadyKind.HTTP, ReadyKind.TCP) and MAIN_POOL not in draft.pool_names():
        field = draft.field.at("ready", kind)
        field.wrong(
            f'asks for a port, and "{draft.name}" has no pool', "add a pool, or use log, exec or notify"
        )


def _check_cwd(draft: Draft) -> None:
    """Only a warning: what runs before the service may make the folder."""
    if not os.path.isdir(draft.service.cwd):  # noqa: PTH112 - Path.is_dir raises where it may not look
        draft.field.at("cwd").doubt("there is no such folder yet", "it is relative to services.toml's folder")
