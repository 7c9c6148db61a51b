"""The tables [services.x] over [defaults] → Service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from supervisor.config import keys
from supervisor.config.commands import split
from supervisor.config.fields import Field, FieldError, read_table
from supervisor.config.model import MAIN_POOL, Pool, Service
from supervisor.config.names import wrong_name
from supervisor.config.pool_keys import PORT_ENV

_MERGED = ("env", "backoff", "stop", "log")
"""Tables that a service and [defaults] fill in together; any other key is the service's or the default's."""

_AS_READ = (
    "shell",
    "env",
    "depends_on",
    "ready",
    "restart",
    "backoff",
    "stop",
    "shield",
    "socket",
    "tty",
    "on_lost",
    "log",
    "watch",
)
"""Keys whose readers give just what the model holds."""


class Draft(NamedTuple):
    """A service as far as it is right, and the table where it stands, for the checks across services."""

    service: Service
    field: Field

    @property
    def name(self) -> str:
        return self.service.name

    def pool_names(self) -> list[str]:
        """Also of pools that are wrong: what names them isn't wrong as well."""
        main = [MAIN_POOL] if self.field.has("pool") else []
        named = self.field.at("pools").value if self.field.has("pools") else None
        return [*main, *(named if isinstance(named, dict) else ())]

    def pool_field(self, pool: Pool) -> Field:
        return self.field.at("pool") if pool.name == MAIN_POOL else self.field.at("pools", pool.name)


def read_services(document: Field, folder: Path) -> list[Draft]:
    """A draft for every service, in the file's order; whatever is wrong with one is reported."""
    defaults = document.at("defaults") if document.has("defaults") else Field({}, (), document.problems)
    _report(defaults)
    services = document.at("services")
    if not document.has("services") or services.value == {}:
        document.problems.error(("services",), "there are no services", "add a table [services.NAME]")
        return []
    return [_draft(name, merge(defaults, field), folder) for name, field in services.entries().items()]


def _report(defaults: Field) -> None:
    """Also what every service overrides must be right."""
    if isinstance(defaults.value, dict):
        read_table(defaults, keys.SERVICE, keys.SERVICE_SLIPS)
    else:
        defaults.entries()


def merge(defaults: Field, own: Field) -> Field:
    """A service's table over [defaults]; every value keeps the place where it was written."""
    if not isinstance(own.value, dict) or not isinstance(defaults.value, dict):
        return own
    merged = defaults.table() | own.table()
    for key in _MERGED:
        if defaults.has(key) and own.has(key):
            merged[key] = merge(defaults.at(key), own.at(key))
    return Field(merged, own.path, own.problems)


def _draft(name: str, field: Field, folder: Path) -> Draft:
    reason = wrong_name(name)
    if reason:
        field.wrong("is not a service's name", reason)
    try:
        values = read_table(field, keys.SERVICE, keys.SERVICE_SLIPS)
    except FieldError as error:
        field.wrong(error.message, error.hint)
        return Draft(Service(name, ()), field)
    if not field.has("command"):
        field.wrong("has no command", 'write command = "…"')
    return Draft(_service(name, field, values, folder), field)


def _service(name: str, field: Field, values: dict[str, Any], folder: Path) -> Service:
    return Service(
        name=name,
        command=_command(field, values),
        cwd=folder / values.get("cwd", "."),
        pools=tuple(_pools(values)),
        **{key: values[key] for key in _AS_READ if key in values},
    )


def _command(field: Field, values: dict[str, Any]) -> tuple[str, ...]:
    command, shell = values.get("command", ()), values.get("shell", False)
    try:
        if isinstance(command, str):
            return (command,) if shell else split(command)
        if command and shell:
            raise FieldError("must be a string where shell = true", "or leave shell out: a list needs none")
        return tuple(command)
    except FieldError as error:
        field.at("command").wrong(error.message, error.hint)
        return ()


def _pools(values: dict[str, Any]) -> Iterator[Pool]:
    if "pool" in values:
        yield values["pool"]._replace(env=values.get("port_env", PORT_ENV))
    yield from values.get("pools", ())
