"""services.toml as a JSON Schema (draft 2020-12), for editors: the loader's own table of keys, told anew.

It says what one table can be. What only shows between tables, as overlaps and cycles, is `portsup check`'s.
"""

from __future__ import annotations

import re
from typing import Any

from supervisor.config import keys
from supervisor.config.fields import Key, Keys, Type
from supervisor.config.names import NAME

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_SERVICE = {"$ref": "#/$defs/service"}

_BETWEEN_KEYS: list[dict[str, Any]] = [
    {
        "if": {"required": ["shell"], "properties": {"shell": {"const": True}}},
        "then": {"properties": {"command": {"type": "string"}}},
    },
    {
        "if": {"required": ["socket"], "properties": {"socket": {"const": True}}},
        "then": {"properties": {"ready": {"properties": {"tcp": False}}}},
    },
]
"""Of a service's own table: in [defaults] nothing is wrong yet with keys that services may override."""

_COMMAND_FOR_ALL: dict[str, Any] = {
    "if": {"required": ["defaults"], "properties": {"defaults": {"required": ["command"]}}},
    "else": {"properties": {"services": {"additionalProperties": {"required": ["command"]}}}},
}

_LINK = re.compile(r"\[([^]]+)\]\([^)]*\)")


def json_schema() -> dict[str, Any]:
    """The schema of the whole file. Signals are those of this system."""
    return {
        "$schema": DIALECT,
        "title": "services.toml of portsup",
        "type": "object",
        "properties": {
            "stack": {"description": "The stack as a whole.", **_table(keys.STACK)},
            "defaults": {"description": "Any key of a service, for all of them; its own wins.", **_SERVICE},
            "services": {
                "description": "The services, each a table [services.NAME].",
                "type": "object",
                "propertyNames": {"pattern": f"^{NAME}$"},
                "additionalProperties": {"allOf": [_SERVICE, *_BETWEEN_KEYS]},
                "minProperties": 1,
            },
        },
        "required": ["services"],
        "additionalProperties": False,
        **_COMMAND_FOR_ALL,
        "$defs": {"service": _table(keys.SERVICE)},
    }


def _table(known: Keys) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: _key(key) for name, key in known.items()},
        "additionalProperties": False,
    }


def _key(key: Key) -> dict[str, Any]:
    default = {} if key.default is None else {"default": key.default}
    return {"description": _LINK.sub(r"\1", key.meaning), **_value(key.type), **default}


def _value(kind: Type) -> dict[str, Any]:
    if kind.keys:
        return {**_table(kind.keys), **kind.schema}
    if kind.each:
        return {"type": "object", "additionalProperties": _value(kind.each), **kind.schema}
    return dict(kind.schema)
