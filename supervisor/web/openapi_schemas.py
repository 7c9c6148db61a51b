"""The shapes of what is answered, as JSON Schema: the components of the OpenAPI document."""

from __future__ import annotations

from typing import Any

from supervisor.monitor.pools import CellState
from supervisor.snapshot import INSTANCE_STATES, SERVICE_STATES

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
WHOLE: Schema = {"type": "integer"}
YES_NO: Schema = {"type": "boolean"}
SECONDS: Schema = {"type": "number", "description": "Seconds since 1970."}
PORT: Schema = {"type": "integer", "minimum": 1, "maximum": 65535}
VERSION: Schema = {"const": 1, "description": "Grows when the meaning of a field changes."}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def maybe(schema: Schema, description: str | None = None) -> Schema:
    """Or null."""
    return _described({"anyOf": [schema, {"type": "null"}]}, description)


def listed(schema: Schema, description: str | None = None) -> Schema:
    return _described({"type": "array", "items": schema}, description)


def each(schema: Schema, description: str | None = None) -> Schema:
    """An object whose keys are names."""
    return _described({"type": "object", "additionalProperties": schema}, description)


def told(description: str, schema: Schema = TEXT) -> Schema:
    return {**schema, "description": description}


def one_of(*values: str | None, description: str | None = None) -> Schema:
    return _described({"enum": list(values)}, description)


def shape(properties: dict[str, Schema], *, optional: tuple[str, ...] = ()) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def _described(schema: Schema, description: str | None) -> Schema:
    return schema if description is None else {**schema, "description": description}


WHOSE: dict[str, Schema] = {
    "stack": told("The stack's name."),
    "instance": told("The instance's number.", WHOLE),
    "instance_id": told("What this run of the instance alone is called."),
}

OF_SERVICE: dict[str, Schema] = {"instance_id": TEXT, "name": TEXT}

SERVICE: dict[str, Schema] = {
    "name": TEXT,
    "state": one_of(*SERVICE_STATES),
    "ready": YES_NO,
    "pid": maybe(WHOLE),
    "port": maybe(PORT, "Of the main pool; null while nothing is claimed."),
    "ports": each(PORT, "Claimed port by pool; the main pool is called `port`."),
    "pools": each(listed(PORT), "The ports that each pool has."),
    "url": maybe(TEXT),
    "shield": one_of("up", "lost", "off", "none"),
    "restarts": WHOLE,
    "uptime_s": maybe(NUMBER),
    "exit": maybe(TEXT, "How the last child ended, as `code 1` or `signal KILL`."),
    "reason": maybe(TEXT, "Why the service is in this state, where that isn't plain."),
}

INSTANCE: dict[str, Schema] = {
    **WHOSE,
    "config": told("The path of services.toml."),
    "base_port": WHOLE,
    "state": one_of(*INSTANCE_STATES),
    "supervisor": shape({"pid": WHOLE, "started": told("Seconds since boot.", NUMBER)}),
    "services": listed(ref("Service")),
}

HEALTH_OF_SERVICE: dict[str, Schema] = {
    **WHOSE,
    "name": TEXT,
    "state": TEXT,
    "url": maybe(TEXT),
    "status": told("`ok`, `unknown`, `failing`, `unreachable`, or its state where nobody can be asked."),
    "http": maybe(WHOLE, "The status of its answer."),
    "latency_ms": maybe(NUMBER),
    "body": {"description": "Its answer, where that is JSON and short; else null."},
    "reason": maybe(TEXT),
}

PHASE = shape({"count": WHOLE, "median_ms": NUMBER, "p95_ms": NUMBER, "max_ms": NUMBER})

EVENT: dict[str, Schema] = {
    "time": SECONDS,
    "level": one_of("debug", "info", "warning", "error"),
    "event": told("Its kind, as `unit.running` or `instance.claimed`."),
    "message": TEXT,
    "instance_id": TEXT,
    "service": maybe(TEXT, "null for what concerns the instance."),
    "pid": maybe(WHOLE),
    "port": maybe(WHOLE),
}

CELL = shape(
    {
        "port": PORT,
        "state": one_of(
            *CellState,
            description="`ours`: the service's own; `other`: another service's or instance's; `foreign`: "
            "nobody claimed it and somebody listens; `leftover`: of an instance whose supervisor is dead.",
        ),
        "who": maybe(TEXT),
    }
)

POINT: Schema = {
    "type": "array",
    "prefixItems": [SECONDS, maybe(NUMBER, "CPU: 1.0 is one core."), told("Memory in bytes.", WHOLE)],
    "minItems": 3,
    "maxItems": 3,
}

SCHEMAS: dict[str, Schema] = {
    "Error": shape(
        {
            "error": told("What could not be done, and why."),
            "details": listed(TEXT, "A line for each thing in the way."),
            "hint": maybe(TEXT, "What to do next."),
        },
    ),
    "Service": shape(SERVICE),
    "Instance": shape(INSTANCE),
    "Services": shape(
        {
            "schema": VERSION,
            "instances": listed(ref("Instance")),
            "services": listed(shape({**WHOSE, **SERVICE}), "The same services, each with whose it is."),
        }
    ),
    "OwnHealth": shape(
        {"status": {"const": "ok"}, "service": TEXT, "instance": maybe(WHOLE), "port": PORT, "pid": WHOLE}
    ),
    "Health": shape(
        {
            "schema": VERSION,
            "status": one_of("ok", "degraded", "down"),
            "instances": listed(shape({**WHOSE, "state": TEXT})),
            "services": listed(shape(HEALTH_OF_SERVICE)),
        }
    ),
    "Timings": shape(
        {
            "schema": VERSION,
            "instances": listed(
                shape({**WHOSE, "services": each(each(PHASE)), "error": maybe(TEXT, "Why it doesn't tell.")})
            ),
        }
    ),
    "Change": shape(
        {
            "schema": VERSION,
            **WHOSE,
            "done": told("false: it goes on, and what came of it isn't known yet.", YES_NO),
            "services": listed(ref("Service"), "The service as it is afterwards."),
        }
    ),
    "Event": shape(EVENT),
    "Events": shape({"schema": VERSION, "events": listed(ref("Event"))}),
    "LogLine": shape(
        {
            "time": maybe(WHOLE, "Milliseconds since 1970; null where nobody knows."),
            "text": told("The line without its end. Colours and other control codes are in it."),
        }
    ),
    "Log": shape({"schema": VERSION, **WHOSE, "service": TEXT, "lines": listed(ref("LogLine"))}),
    "LiveView": shape(
        {
            "schema": VERSION,
            "time": SECONDS,
            "instances": listed(shape({**INSTANCE, "worktree": TEXT, "logs_readable": YES_NO})),
            "strips": listed(
                shape({"instance_id": TEXT, "service": TEXT, "pool": TEXT, "cells": listed(CELL)}),
                "Each pool of each service, in the order in which its ports are tried.",
            ),
        }
    ),
    "LiveHistory": shape({"services": listed(shape({**OF_SERVICE, "points": listed(POINT)}))}),
    "LiveUsage": shape(
        {
            "time": SECONDS,
            "services": listed(
                shape(
                    {
                        **OF_SERVICE,
                        "cpu": maybe(NUMBER, "1.0 is one core; null at the first look."),
                        "memory": told("Bytes.", WHOLE),
                        "processes": WHOLE,
                    }
                )
            ),
        }
    ),
    "LiveEvents": shape({"events": listed(ref("Event"))}),
    "LogLines": shape({"lines": listed(ref("LogLine"))}),
}
