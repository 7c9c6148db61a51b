"""What must hold between a service's keys, and between services' names."""

from __future__ import annotations

import os
from collections.abc import Sequence

from supervisor.config import shell_syntax, variables
from supervisor.config.fields import Field
from supervisor.config.interpolate import names_of_pool
from supervisor.config.model import MAIN_POOL, ReadyKind
from supervisor.config.services import Draft


def check(drafts: Sequence[Draft]) -> None:
    _check_names(drafts)
    for draft in drafts:
        _check_ready(draft)
        _check_socket(draft)
        _check_env(draft)
        _check_cwd(draft)
        _check_shell(draft)


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


def _check_socket(draft: Draft) -> None:
    service = draft.service
    if not service.socket:
        return
    if MAIN_POOL not in draft.pool_names():
        draft.field.at("socket").wrong(
            f'asks for a port, and "{draft.name}" has no main pool', "add a pool, or leave socket out"
        )
    if service.ready.kind is ReadyKind.TCP:
        draft.field.at("ready", "tcp").wrong(
            "proves nothing with socket = true: portsup itself listens", "use http, log, exec or notify"
        )
    for name in sorted(variables.LISTEN & service.env.keys()):
        draft.field.at("env", name).wrong("tells of the socket that is handed down", "leave it to portsup")


def _check_env(draft: Draft) -> None:
    """A service's env wins over what portsup sets, so it must not name a port of its own choice."""
    carriers = {pool.env for pool in draft.service.pools}
    for name in draft.service.env:
        if name in carriers:
            draft.field.at("env", name).wrong("carries the service's own port", "leave it to portsup")
        elif name.startswith("PORTSUP_"):
            draft.field.at("env", name).wrong("is portsup's to set", "give the variable another name")


def _check_cwd(draft: Draft) -> None:
    """Only a warning: what runs before the service may make the folder."""
    if not os.path.isdir(draft.service.cwd):  # noqa: PTH112 - Path.is_dir raises where it may not look
        draft.field.at("cwd").doubt("there is no such folder yet", "it is relative to services.toml's folder")


def _check_shell(draft: Draft) -> None:
    """Only a warning: the program may well want a word as it is."""
    service = draft.service
    if not service.shell and service.command:
        _doubt_shell(draft, draft.field.at("command"), service.command[0], "set shell = true")
    if service.ready.kind is ReadyKind.EXEC:
        instead = 'use ["sh", "-c", "…"]'
        _doubt_shell(draft, draft.field.at("ready", "exec"), service.ready.command[0], instead)


def _doubt_shell(draft: Draft, field: Field, program: str, instead: str) -> None:
    if not isinstance(field.value, str) or shell_syntax.is_shell(program):
        return
    used, operators = shell_syntax.variables(field.value), shell_syntax.operators(field.value)
    words = [*used, *operators]
    if not words:
        return
    ports = _ports(draft)
    if not operators and ports.keys() >= set(used):
        instead = f"write {' and '.join(ports[name] for name in used)}, or {instead}"
    passed = "is passed as it is" if len(words) == 1 else "are passed as they are"
    field.doubt(f"no shell runs: {', '.join(words)} {passed}", instead)


def _ports(draft: Draft) -> dict[str, str]:
    """What a shell would call the service's own ports → what they are called here."""
    result = {}
    for pool in draft.service.pools:
        service = None if pool.name == MAIN_POOL else draft.name
        result[f"${pool.env}"] = f"${{{names_of_pool(service, pool.name)[0]}}}"
    return result
