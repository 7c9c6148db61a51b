"""The API, described: the OpenAPI document, as data."""

from __future__ import annotations

from typing import Any

from supervisor import __version__
from supervisor.web import events, logs
from supervisor.web.openapi_schemas import SCHEMAS, TEXT, Schema, ref

Operation = dict[str, Any]

ABOUT = """What runs on this machine, and what of it can be changed. The server listens on 127.0.0.1 only and
answers no page from elsewhere.

Whoever reaches the port may see states, ports, usage and events. What services printed, and whatever changes
something, needs `Authorization: Bearer TOKEN`, with the token of the file that `portsup serve` names when
it starts.

Of what begins with `/api/v1`, all but `/live`, `/events`, `/logs`, `/logs/stream` and `/openapi.json` also
answers without the `/v1`, as it did before there were versions.

A refusal is `{"error", "details", "hint"}`; 421 is for a Host that isn't this machine, 403 for an Origin
that isn't, and 503 for whatever needs a look while the server has no file descriptor left for one."""

NUMBER: Schema = {"type": "integer", "minimum": 0, "maximum": 999_999_999}


def _in_query(name: str, schema: Schema, description: str) -> Schema:
    return {"name": name, "in": "query", "description": description, "schema": schema}


STACK = _in_query("stack", TEXT, "Only instances of this stack.")
ID = _in_query("id", TEXT, "Only the instance with this `instance_id`.")
INSTANCE = _in_query("instance", NUMBER, "Only instances with this number.")

OF_SERVICE = [
    {
        "name": "number",
        "in": "path",
        "required": True,
        "description": "The instance's number.",
        "schema": NUMBER,
        "example": 1,
    },
    {
        "name": "name",
        "in": "path",
        "required": True,
        "description": "The service's name.",
        "schema": {"type": "string", "minLength": 1},
        "example": "api-server",
    },
    STACK,
    ID,
]

SIGNED_IN: list[dict[str, list[str]]] = [{"bearer": []}]


def _json(description: str, *schemas: str) -> Operation:
    schema = ref(schemas[0]) if len(schemas) == 1 else {"anyOf": [ref(name) for name in schemas]}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _stream(description: str, events: dict[str, str]) -> Operation:
    """`events`: what the data of each is."""
    named = {name: ref(schema) for name, schema in events.items()}
    return {
        "description": description,
        "content": {"text/event-stream": {"schema": TEXT, "x-events": named}},
    }


BAD_QUERY = {"400": _json("The query is wrong.", "Error")}

REFUSED_OF_SERVICE = {
    "400": _json("The number is none, or the query is wrong.", "Error"),
    "401": {
        **_json("The token is missing or wrong; the error names the file where it is.", "Error"),
        "headers": {"WWW-Authenticate": {"schema": {"const": "Bearer"}}},
    },
    "404": _json("There is no such instance, or it has no such service.", "Error"),
    "409": _json("Several instances are meant, or the instance refuses.", "Error"),
    "500": _json("The token's file can't be trusted, or something failed inside.", "Error"),
    "503": _json("The instance doesn't answer.", "Error"),
}


def _change(verb: str, summary: str) -> Operation:
    return {
        "operationId": verb,
        "tags": ["changes"],
        "summary": summary,
        "description": "Waits until it is done, for a minute at most: what was asked for goes on.",
        "parameters": OF_SERVICE,
        "security": SIGNED_IN,
        "responses": {
            "200": _json("The service is where it was to go.", "Change"),
            "202": _json("That takes longer.", "Change"),
            **REFUSED_OF_SERVICE,
            "503": _json(
                "The service isn't where it was to go, or the instance doesn't answer.", "Change", "Error"
            ),
        },
    }


PAGES: dict[str, Operation] = {
    "/": {
        "get": {
            "operationId": "front",
            "tags": ["pages"],
            "summary": "The page, or for whoever doesn't accept HTML a list of what can be asked",
            "responses": {
                "200": {
                    "description": "One of the two.",
                    "content": {"text/html": {"schema": TEXT}, "text/plain": {"schema": TEXT}},
                }
            },
        }
    },
    "/metrics": {
        "get": {
            "operationId": "metrics",
            "tags": ["pages"],
            "summary": "The same facts for Prometheus",
            "responses": {
                "200": {
                    "description": "In the format that the scraper asks for.",
                    "content": {
                        "text/plain": {"schema": TEXT},
                        "application/openmetrics-text": {"schema": TEXT},
                    },
                }
            },
        }
    },
    "/api/docs": {
        "get": {
            "operationId": "docs",
            "tags": ["pages"],
            "summary": "This document, to be read",
            "responses": {"200": {"description": "A page.", "content": {"text/html": {"schema": TEXT}}}},
        }
    },
    "/api/v1/openapi.json": {
        "get": {
            "operationId": "openapi",
            "tags": ["pages"],
            "summary": "This document",
            "responses": {
                "200": {
                    "description": "OpenAPI 3.1.",
                    "content": {"application/json": {"schema": {"type": "object"}}},
                },
                **BAD_QUERY,
            },
        }
    },
}

FACTS: dict[str, Operation] = {
    "/api/v1/health": {
        "get": {
            "operationId": "health",
            "tags": ["facts"],
            "summary": "This server itself",
            "responses": {"200": _json("It answers.", "OwnHealth"), **BAD_QUERY},
        }
    },
    "/api/v1/services": {
        "get": {
            "operationId": "services",
            "tags": ["facts"],
            "summary": "Every service of every instance",
            "responses": {"200": _json("As `portsup status --json`, and flat.", "Services"), **BAD_QUERY},
        }
    },
    "/api/v1/health/aggregated": {
        "get": {
            "operationId": "aggregatedHealth",
            "tags": ["facts"],
            "summary": "The health of every service, asked now",
            "description": "Answers within about two seconds, whoever hangs.",
            "parameters": [INSTANCE, STACK, ID],
            "responses": {
                "200": _json("All is well.", "Health"),
                "503": _json("Something isn't, or nothing runs.", "Health"),
                **BAD_QUERY,
            },
        }
    },
    "/api/v1/tracing/stats": {
        "get": {
            "operationId": "timings",
            "tags": ["facts"],
            "summary": "How long claims, spawns, readiness and stops took",
            "responses": {"200": _json("By service and phase.", "Timings"), **BAD_QUERY},
        }
    },
    "/api/v1/events": {
        "get": {
            "operationId": "events",
            "tags": ["facts"],
            "summary": "What happened last in the instances that run, in order of time",
            "parameters": [
                _in_query(
                    "limit",
                    {"type": "integer", "minimum": 0, "maximum": events.MOST, "default": events.USUAL},
                    "How many at most.",
                ),
                INSTANCE,
                STACK,
                ID,
            ],
            "responses": {"200": _json("The last ones.", "Events"), **BAD_QUERY},
        }
    },
    "/api/v1/live": {
        "get": {
            "operationId": "live",
            "tags": ["facts"],
            "summary": "Everything, as it changes: server-sent events without an end",
            "description": "First come `view`, `history`, `usage` and the last `events`; then `usage` each "
            "second, and the others when there is something new. Who reads too slowly misses steps, never "
            "the state.",
            "responses": {
                "200": _stream(
                    "A stream.",
                    {
                        "view": "LiveView",
                        "history": "LiveHistory",
                        "usage": "LiveUsage",
                        "events": "LiveEvents",
                    },
                ),
                **BAD_QUERY,
                "503": _json("Too many watch already.", "Error"),
            },
        }
    },
}

LOGS: dict[str, Operation] = {
    "/api/v1/instances/{number}/services/{name}/logs": {
        "get": {
            "operationId": "logs",
            "tags": ["logs"],
            "summary": "The last lines that a service printed",
            "parameters": [
                *OF_SERVICE,
                _in_query(
                    "lines",
                    {"type": "integer", "minimum": 0, "maximum": logs.MOST, "default": logs.USUAL},
                    "How many at most.",
                ),
                _in_query(
                    "since",
                    {"type": "integer", "minimum": 0, "maximum": logs.LATEST},
                    "Only those printed since then, in milliseconds since 1970.",
                ),
            ],
            "security": SIGNED_IN,
            "responses": {"200": _json("The lines.", "Log"), **REFUSED_OF_SERVICE},
        }
    },
    "/api/v1/instances/{number}/services/{name}/logs/stream": {
        "get": {
            "operationId": "followLogs",
            "tags": ["logs"],
            "summary": "The last lines, then each that is printed: server-sent events without an end",
            "parameters": [
                *OF_SERVICE,
                _in_query(
                    "lines",
                    {"type": "integer", "minimum": 0, "maximum": logs.MOST_STREAMED, "default": logs.USUAL},
                    "With how many of the last ones to begin.",
                ),
            ],
            "security": SIGNED_IN,
            "responses": {
                "200": _stream(
                    f"A stream: at most {logs.BATCH} lines at a time. `failure` is its end.",
                    {"lines": "LogLines", "failure": "Error"},
                ),
                **REFUSED_OF_SERVICE,
            },
        }
    },
}

CHANGES: dict[str, Operation] = {
    f"/api/v1/instances/{{number}}/services/{{name}}/{verb}": {"post": _change(verb, summary)}
    for verb, summary in {
        "start": "Start a service",
        "stop": "Stop a service",
        "restart": "Stop a service and start it again",
    }.items()
}

TAGS = [
    {"name": "facts", "description": "What everybody may see who reaches the port."},
    {"name": "logs", "description": "What services printed. With the token."},
    {"name": "changes", "description": "What changes something. With the token."},
    {"name": "pages", "description": "For people and for Prometheus, and this document."},
]

DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "portsup", "version": __version__, "description": ABOUT, "license": {"name": "MIT"}},
    "servers": [{"url": "/"}],
    "tags": TAGS,
    "paths": {**FACTS, **LOGS, **CHANGES, **PAGES},
    "components": {
        "schemas": SCHEMAS,
        "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
    },
}
