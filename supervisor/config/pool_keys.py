"""The keys of a pool's table and what they make."""

from __future__ import annotations

from supervisor.config import variables
from supervisor.config.fields import (
    Field,
    FieldError,
    Key,
    Keys,
    Schema,
    Type,
    attempt,
    has_unknown,
    kind,
    read_table,
)
from supervisor.config.model import MAIN_POOL, Pool, RelativePool, SharedPool
from supervisor.config.names import NAME, wrong_name
from supervisor.config.value_types import VARIABLE, integer

HIGHEST_PORT = 65535
PORT_ENV = "PORT"
"""The variable of the main pool's port, where port_env names no other."""

PORT = integer(1, HIGHEST_PORT)


def ports(field: Field) -> tuple[int, ...]:
    if not isinstance(field.value, list):
        raise FieldError(f"must be an array of ports, not {kind(field.value)}", "write [9000, 9001]")
    if not field.value:
        raise FieldError("is empty", "list at least one port")
    found = tuple(PORT.read(Field(value, field.path, field.problems)) for value in field.value)
    if len(set(found)) != len(found):
        raise FieldError("lists a port twice")
    return found


_PORTS = Type(
    ports,
    "array of ports",
    {"type": "array", "items": PORT.schema, "minItems": 1, "uniqueItems": True},
)

_RELATIVE: Keys = {
    "offset": Key(
        integer(0, HIGHEST_PORT),
        "*relative*: the first port is the instance's base port + `offset`",
        otherwise="with `size`",
    ),
    "size": Key(integer(1, HIGHEST_PORT), "how many ports", otherwise="with `offset`"),
}
_SHARED: Keys = {
    "ports": Key(
        _PORTS,
        "*shared*: the same ports for all instances on the machine, first come, first served",
        otherwise="instead of both",
    )
}
_EITHER: Schema = {
    "oneOf": [
        {"required": ["offset", "size"], "properties": {"ports": False}},
        {"required": ["ports"], "properties": {"offset": False, "size": False}},
    ]
}

POOL: Keys = {**_RELATIVE, **_SHARED}
NAMED_POOL: Keys = {
    **POOL,
    "env": Key(
        VARIABLE,
        "carries the port; in `pools` only",
        otherwise="the pool's name, as in `METRICS_PORT`",
    ),
}


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


def _pool(field: Field, keys: Keys, name: str, env: str) -> Pool | None:
    """None if a part of it is wrong, which is reported."""
    values = read_table(field, keys)
    if has_unknown(field, keys) or not _pool_keys(field) <= values.keys():
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


MAIN_POOL_TABLE = Type(main_pool, "[pool](#pools)", _EITHER, keys=POOL)
POOLS = Type(
    pools,
    "table of [pools](#pools)",
    {"propertyNames": {"pattern": f"^(?!{MAIN_POOL}$){NAME}$"}},
    each=Type(named_pool, "pool", _EITHER, keys=NAMED_POOL),
)
