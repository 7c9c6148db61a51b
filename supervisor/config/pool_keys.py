"""The keys of a pool's table and what they make."""

from __future__ import annotations

from collections.abc import Mapping

from supervisor.config import variables
from supervisor.config.fields import (
    Field,
    FieldError,
    Reader,
    attempt,
    has_unknown,
    integer,
    kind,
    read_table,
    variable,
)
from supervisor.config.model import MAIN_POOL, Pool, RelativePool, SharedPool
from supervisor.config.names import wrong_name

HIGHEST_PORT = 65535
PORT_ENV = "PORT"
"""The variable of the main pool's port, where port_env names no other."""

port = integer(1, HIGHEST_PORT)


def ports(field: Field) -> tuple[int, ...]:
    if not isinstance(field.value, list):
        raise FieldError(f"must be an array of ports, not {kind(field.value)}", "write [9000, 9001]")
    if not field.value:
        raise FieldError("is empty", "list at least one port")
    found = tuple(port(Field(value, field.path, field.problems)) for value in field.value)
    if len(set(found)) != len(found):
        raise FieldError("lists a port twice")
    return found


_RELATIVE: Mapping[str, Reader] = {"offset": integer(0, HIGHEST_PORT), "size": integer(1, HIGHEST_PORT)}
_SHARED: Mapping[str, Reader] = {"ports": ports}
POOL: Mapping[str, Reader] = {**_RELATIVE, **_SHARED}
NAMED_POOL: Mapping[str, Reader] = {**POOL, "env": variable}


def main_pool(field: Field) -> Pool | None:
    return _pool(field, POOL, MAIN_POOL, PORT_ENV)


def named_pool(field: Field) -> Pool | None:
    name = field.path[-1]
    if name == MAIN_POOL:
        raise FieldError(
            f'a further pool can\'t be called "{MAIN_POOL}"', "that is the main pool: use the key pool"
        )
    reason = wrong_name(name)
    if reason:
        raise FieldError("is not a pool's name", reason)
    return _pool(field, NAMED_POOL, name, f"{variables.stem(name)}_PORT")


def _pool(field: Field, readers: Mapping[str, Reader], name: str, env: str) -> Pool | None:
    """None if a part of it is wrong, which is reported."""
    values = read_table(field, readers)
    if has_unknown(field, readers) or not _pool_keys(field) <= values.keys():
        return None
    env = values.get("env", env)
    if variables.is_own(env):
        raise FieldError(
            f"{env} would be its variable, which is portsup's own", "give it another name or an env"
        )
    place = field.problems.place(field.path)
    if "ports" in values:
        return SharedPool(name, env, values["ports"], place)
    return RelativePool(name, env, values["offset"], values["size"], place)


def _pool_keys(field: Field) -> set[str]:
    given = set(field.table())
    relative, shared = given & _RELATIVE.keys(), given & _SHARED.keys()
    if relative and shared:
        raise FieldError("has ports beside offset and size", "use either { offset, size } or { ports }")
    if not shared and relative != _RELATIVE.keys():
        raise FieldError("is incomplete", "write { offset = 0, size = 3 } or { ports = [9000, 9001] }")
    return relative | shared


def pools(field: Field) -> tuple[Pool, ...]:
    found = [attempt(entry, named_pool) for entry in field.table().values()]
    return tuple(pool for pool in found if pool is not None)
