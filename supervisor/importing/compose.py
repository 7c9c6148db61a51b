"""A docker compose file → draft. Pure: what other files say is handed in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from supervisor.config import dependencies, signals
from supervisor.config.fields import Field, FieldError
from supervisor.config.keys import stack_name
from supervisor.config.lines import Lines
from supervisor.config.model import Restart
from supervisor.config.problems import Problems
from supervisor.errors import ConfigError
from supervisor.importing import compose_docker, compose_health, compose_native
from supervisor.importing.compose_addresses import Addresses
from supervisor.importing.compose_service import ComposeService, dockerfile_path
from supervisor.importing.compose_values import Values
from supervisor.importing.dockerfile import Dockerfile, read_dockerfile
from supervisor.importing.draft import Draft, Lost, ServiceDraft
from supervisor.importing.naming import legal_names
from supervisor.importing.texts import Ref, Text, join_words
from supervisor.importing.yaml_text import Table, read_yaml

JOB: dict[str, object] = {"log": "(?!)", "timeout": "10m"}
"""`ready` of what others wait for until it has ended: no line matches, so that exit code 0 makes it ready."""

_UNDERSTOOD = frozenset({"services", "version", "name", "networks", "volumes"})
_RESTART = {"no": "no", "false": "no", "always": "always", "unless-stopped": "always"}
_ENV = "env:"

ReadFile = Callable[[str], str | None]
"""The text of a file, by its path relative to the compose file; None if there is none."""


def read_compose(text: str, source: str, dotenv: Mapping[str, str], read_file: ReadFile) -> Draft:
    """Raises ConfigError for what is no YAML or names no service, with file and line.

    `dotenv`: what the file .env beside it says.
    """
    document = read_yaml(text, source)
    tables = _service_tables(document, source)
    values = Values(dotenv, frozenset(tables))
    names = legal_names(tables)
    services = [
        ComposeService(key, names[key], table, values, _dockerfile(table, values, read_file))
        for key, table in tables.items()
    ]
    draft = _Import(source, services).draft()
    _tell_of_document(document, draft)
    _tell_of_variables(values, draft)
    return draft


def _service_tables(document: Any, source: str) -> dict[str, Table]:
    services = document.get("services") if isinstance(document, Table) else None
    if not isinstance(services, Table) or not services:
        raise ConfigError(f"{source} names no services", hint="a compose file has them below `services:`")
    for key, table in services.items():
        if not isinstance(table, Table):
            detail = f"{source}:{services.lines[key]}: services.{key} is no mapping"
            raise ConfigError(f"{source} is not a compose file", details=[detail])
    return dict(services)


def _dockerfile(table: Table, values: Values, read_file: ReadFile) -> Dockerfile:
    path = dockerfile_path(table, values)
    text = read_file(path) if path is not None else None
    build = table.get("build")
    target = build.get("target") if isinstance(build, dict) else None
    return read_dockerfile(text, target if isinstance(target, str) else None) if text else Dockerfile()


def _tell_of_document(document: Table, draft: Draft) -> None:
    for key, line in document.lines.items():
        if key not in _UNDERSTOOD and not key.startswith("x-"):
            draft.lost.append(Lost(f"the key {key}", line=line))
    name = document.get("name")
    if isinstance(name, str):
        try:
            draft.stack = stack_name(Field(name, ("stack", "name"), Problems(Path(), Lines(""))))
        except FieldError:
            draft.lost.append(Lost("the name: no stack may be called like that", line=document.lines["name"]))


def _tell_of_variables(values: Values, draft: Draft) -> None:
    used = {part.name for service in draft.services for part in _refs(service)}
    if any(f"{_ENV}{name}" in used for name in values.from_dotenv) and ".env" not in draft.env_files:
        draft.env_files.append(".env")
    if values.defaults:
        told = ", ".join(sorted(values.defaults))
        draft.lost.append(Lost(f"their defaults are written in, whatever the shell has: {told}"))
    if required := sorted(name for name in values.required if f"{_ENV}{name}" in used):
        draft.lost.append(Lost(f"must be set when portsup starts: {', '.join(required)}"))


def _refs(service: ServiceDraft) -> Iterator[Ref]:
    for text in (service.command, *service.env.values(), *service.ready.values()):
        yield from (part for part in text.parts if isinstance(part, Ref)) if isinstance(text, Text) else ()


def _container_port(service: ComposeService, draft: ServiceDraft) -> int | None:
    """By which the service's own healthcheck knows it."""
    if service.ports:
        return service.ports[0].container
    return draft.ports[0].usual if draft.ports else None


def _with_own_port(text: Text, port: int | None) -> Text:
    return text.replace(re.compile(rf"(?<![\w.]){port}(?![\w.])"), lambda _: [Ref("port")]) if port else text


class _Import:
    def __init__(self, source: str, services: Sequence[ComposeService]) -> None:
        self._services = services
        self._draft = Draft(source)
        self._nobody = Addresses(services, ())
        self._nobody.add_ports_that_others_name()
        self._reasons = {service.key: self._reason(service) for service in services}
        live = [service for service in services if self._reasons[service.key] is None]
        self._addresses = Addresses(services, live)

    def draft(self) -> Draft:
        for service in self._services:
            self._draft.services.append(self._made(service))
        self._depend()
        return self._draft

    def _lose(self, what: str, service: ComposeService, key: str) -> None:
        self._draft.lost.append(Lost(what, service.name, service.line(key)))

    # What it becomes

    def _reason(self, service: ComposeService) -> str | None:
        """Why a service can't be live; None if it can."""
        if service.has("profiles"):
            return "it has profiles, and compose starts it only when asked"
        if service.has("extends"):
            return "it extends another service"
        try:
            if (command := self._command(service)) is not None:
                return compose_native.reason_against(command)
            if not service.has("image"):
                return "its command is in no file that portsup reads"
            return self._reason_against_docker(service)
        except ValueError:
            return "its command has a quote that is never closed"

    def _command(self, service: ComposeService) -> compose_native.Command | None:
        return compose_native.command(service) if compose_native.is_native(service) else None

    def _reason_against_docker(self, service: ComposeService) -> str | None:
        if any(mount.source.endswith("docker.sock") for mount in service.mounts):
            return "it watches docker's own containers"
        if keys := compose_docker.missing(service):
            return f"`docker run` would lack {', '.join(keys)}"
        texts = [*service.environment.items(), *(("", word) for word in service.words("command") or ())]
        named = [self._nobody.translated(text, key)[1] for key, text in texts]
        others = set().union(*named, service.depends_on()) - service.hosts
        if others:
            return f"from inside its container it would not reach {', '.join(sorted(others))}"
        return None

    def _made(self, service: ComposeService) -> ServiceDraft:
        try:
            draft = self._runnable(service)
        except ValueError:
            draft = ServiceDraft(service.name, Text.of("…"))
        draft.disabled = self._reasons[service.key]
        if service.name != service.key:
            draft.remarks.insert(0, f'"{service.key}" in {self._draft.source}')
        return draft

    def _runnable(self, service: ComposeService) -> ServiceDraft:
        found = self._command(service)
        if found is None and service.has("image"):
            draft = compose_docker.docker_run(service)
            self._tell_of_volumes(service, draft)
            self._finish(service, draft, compose_docker.CARRIED, inside=compose_docker.container(service))
            return draft
        draft, lost = compose_native.run_here(
            service, found or compose_native.Command(Text.of("…")), self._addresses
        )
        self._draft.lost += lost
        self._finish(service, draft, compose_native.CARRIED)
        self._env_files(service)
        return draft

    def _tell_of_volumes(self, service: ComposeService, draft: ServiceDraft) -> None:
        named = [mount.source for mount in service.mounts if mount.source and not mount.is_bind]
        shared = [mount.source for mount in service.mounts if mount.is_bind and not mount.read_only]
        if named:
            draft.remarks.append(
                f"each instance has volumes of its own, {', '.join(named)}; docker keeps them"
            )
        if shared:
            self._lose(f"all instances here would write to the same {', '.join(shared)}", service, "volumes")

    # Its further keys

    def _finish(
        self,
        service: ComposeService,
        draft: ServiceDraft,
        carried: frozenset[str] | set[str],
        inside: Sequence[str | Ref] = (),
    ) -> None:
        self._restart(service, draft)
        self._stop(service, draft)
        self._ready(service, draft, inside)
        for unread in service.unread_ports:
            self._lose(unread.why, service, unread.key)
        for key in service.misshapen():
            self._lose(f"{key}: it has a form that compose doesn't know", service, key)
        left = [key for key in service.table if service.has(key) and key not in carried]
        if "volumes" in left and service.has_only_files_from_here:
            left.remove("volumes")
        if left:
            self._lose(", ".join(left), service, left[0])

    def _restart(self, service: ComposeService, draft: ServiceDraft) -> None:
        policy, _, limit = service.plain("restart").partition(":")
        if policy == Restart.ON_FAILURE:
            draft.restart = policy
            draft.limit = int(limit) if re.fullmatch(r"[1-9]\d{0,5}", limit, re.ASCII) else None
            if limit and draft.limit is None:
                self._lose("how often it is restarted", service, "restart")
        elif policy in _RESTART:
            draft.restart = _RESTART[policy]
        elif policy:
            self._lose("restart", service, "restart")

    def _stop(self, service: ComposeService, draft: ServiceDraft) -> None:
        stop = {}
        if name := service.plain("stop_signal"):
            try:
                signals.number(name)
                stop["signal"] = name
            except ValueError:
                self._lose("stop_signal", service, "stop_signal")
        if (seconds := compose_health.length(service.plain("stop_grace_period"))) is not None:
            stop["timeout"] = f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"
        elif service.has("stop_grace_period"):
            self._lose("stop_grace_period", service, "stop_grace_period")
        draft.stop = stop

    def _ready(self, service: ComposeService, draft: ServiceDraft, inside: Sequence[str | Ref]) -> None:
        check = service.table.get("healthcheck")
        words = compose_health.test_words(check, service.values)
        if words is None:
            if service.has("healthcheck"):
                self._lose("healthcheck", service, "healthcheck")
            return
        port = _container_port(service, draft)
        path = compose_health.http_path(words, port) if port is not None else None
        if path is not None:
            draft.ready = {"http": path}
        elif inside:
            draft.ready = {"exec": join_words([*map(Text.of, ("docker", "exec")), Text.of(*inside), *words])}
        else:
            here = [_with_own_port(self._addresses.translated(word)[0], port) for word in words]
            draft.ready = {"exec": join_words(here)}
        if timeout := compose_health.timeout(check, service.values):
            draft.ready["timeout"] = timeout

    def _env_files(self, service: ComposeService) -> None:
        for path in service.env_files():
            if path not in self._draft.env_files:
                self._draft.env_files.append(path)

    # Who waits for whom

    def _depend(self) -> None:
        drafts = {
            service.key: draft for service, draft in zip(self._services, self._draft.services, strict=True)
        }
        for service in self._services:
            for key, condition in service.depends_on().items():
                self._depend_on(service, drafts, key, condition)
        self._cut_cycles()

    def _depend_on(
        self, service: ComposeService, drafts: Mapping[str, ServiceDraft], key: str, condition: str
    ) -> None:
        draft, other = drafts[service.key], drafts.get(key)
        if other is None or other is draft or (other.disabled and not draft.disabled):
            self._lose(f"depends_on {key}, which portsup doesn't run", service, "depends_on")
            return
        draft.depends_on.append(other.name)
        if condition == "service_completed_successfully" and not other.ready:
            other.ready, other.restart = dict(JOB), "no"
            other.remarks.append("a job: who depends on it waits until it has ended with exit code 0")

    def _cut_cycles(self) -> None:
        by_name = {draft.name: draft for draft in self._draft.services}
        for cycle in dependencies.cycles({name: draft.depends_on for name, draft in by_name.items()}):
            by_name[cycle[-2]].depends_on.remove(cycle[-1])
            self._draft.lost.append(Lost(f"depends_on {cycle[-1]}: it is a cycle", cycle[-2]))
