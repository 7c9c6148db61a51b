"""Does every `${…}` name something that there is?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from supervisor.config.interpolate import ENV, PORT_FD, names, references, templates
from supervisor.config.problems import nearest, suggestion
from supervisor.config.services import Draft

_SHOWN = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
"""A name that looks like one is shown; anything else may be a piece of a secret."""
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")

Pools = Mapping[str, Sequence[str]]
"""Service → names of its pools."""


def check(drafts: Sequence[Draft]) -> None:
    pools = {draft.name: draft.pool_names() for draft in drafts}
    for draft in drafts:
        valid = names(pools[draft.name], pools, socket=draft.service.socket)
        for path, text in templates(draft.service):
            _check_text(draft, path, text, valid, pools)


def _check_text(draft: Draft, path: tuple[str, ...], text: str, valid: Sequence[str], pools: Pools) -> None:
    field = draft.field.at(*path)
    try:
        used = references(text)
    except ValueError as error:
        field.wrong(str(error), "write $$ for a dollar")
        return
    for name in used:
        if name == ENV:
            field.wrong("${env:} names no variable", "write ${env:NAME}")
        elif name not in valid and not name.startswith(ENV):
            field.wrong(_reason(draft.name, name, pools), _hint(name, valid))


def _reason(user: str, name: str, pools: Pools) -> str:
    if not _SHOWN.fullmatch(name):
        return "holds a ${…} that is no name of portsup's"
    if name == PORT_FD:
        return f'${{{name}}}: "{user}" gets no socket handed down'
    service, _, rest = name.partition(".")
    if name in ("port", "url"):
        return f'${{{name}}}: "{user}" has no pool of its own'
    if rest and service not in pools:
        return f'${{{name}}}: there is no service "{service}"'
    if rest in ("port", "url"):
        return f'${{{name}}}: service "{service}" has no main pool'
    pool, _, what = rest.rpartition(".")
    if what in ("port", "url") and pool not in pools[service]:
        return f'${{{name}}}: service "{service}" has no pool "{pool}"'
    return f"${{{name}}} is unknown"


def _hint(name: str, valid: Sequence[str]) -> str | None:
    if _VARIABLE.fullmatch(name):
        return (
            f"write ${{{ENV}{name}}} for a variable of the environment, $${{{name}}} to leave it to a shell"
        )
    if name == PORT_FD:
        return "set socket = true"
    if not _SHOWN.fullmatch(name):
        return "write $${ where ${ is meant for a shell"
    found = nearest(name, valid)
    return f"did you mean ${{{found}}}?" if found else suggestion(name, valid)
