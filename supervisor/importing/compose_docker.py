"""A compose service of which only an image is known → one that `docker run` starts. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from supervisor.config import variables
from supervisor.importing.compose_service import ComposeService, Mount
from supervisor.importing.draft import Port, ServiceDraft
from supervisor.importing.texts import Part, Ref, Text, join_words

FLAGS = {
    "user": "--user",
    "working_dir": "--workdir",
    "platform": "--platform",
    "shm_size": "--shm-size",
    "hostname": "--hostname",
}
"""Keys that are an option of docker run with one value."""

CARRIED = FLAGS.keys() | {
    *("image", "command", "entrypoint", "environment", "env_file", "ports", "expose", "volumes", "restart"),
    *("healthcheck", "stop_signal", "stop_grace_period", "profiles", "depends_on", "init"),
}

HARMLESS = frozenset(
    {
        "container_name",
        "networks",
        "labels",
        "logging",
        "deploy",
        "pull_policy",
        "tty",
        "stdin_open",
        "attach",
    }
    | {"annotations", "build", "develop", "ulimits", "oom_score_adj", "mem_limit", "cpus", "scale"}
)
"""Keys that are lost, without which the container is still of use."""


def missing(service: ComposeService) -> list[str]:
    """Keys without which it would be another container."""
    return [
        key
        for key in service.table
        if service.has(key) and not key.startswith("x-") and key not in CARRIED | HARMLESS
    ]


def container(service: ComposeService) -> list[Part]:
    """Its name: no two instances of one machine may meet there."""
    return [Ref("stack"), "-", Ref("instance"), f"-{service.name}"]


def docker_run(service: ComposeService) -> ServiceDraft:
    """Raises ValueError for a command with an open quote."""
    published = [Port(port.host or port.container) for port in service.ports[:1]]
    published += [
        Port(port.host or port.container, f"port-{port.container}", f"PORT_{port.container}")
        for port in service.ports[1:]
    ]
    draft = ServiceDraft(service.name, join_words(_words(service)), ports=published)
    draft.env = {name: value for name, value in service.environment.items() if _by_variable(service, name)}
    draft.shield = "lock" if published else None
    draft.remarks.append("needs docker; its own proxy listens on the port, so that only the lock is watched")
    return draft


def _words(service: ComposeService) -> Iterator[Text]:
    yield from map(Text.of, ("docker", "run", "--rm", "--init", "--name"))
    yield Text.of(*container(service))
    for index, port in enumerate(service.ports):
        own = Ref("port") if not index else Ref(f"{service.name}.port-{port.container}.port")
        yield from (Text.of("-p"), Text.of("127.0.0.1:", own, f":{port.container}"))
    for name, value in service.environment.items():
        given = [name] if _by_variable(service, name) else [f"{name}=", *value.parts]
        yield from (Text.of("-e"), Text.of(*given))
    for path in service.env_files():
        yield from (Text.of("--env-file"), Text.of(path))
    for mount in service.mounts:
        yield from (Text.of("-v"), Text.of(*_volume(mount)))
    for key, flag in FLAGS.items():
        if service.has(key):
            yield from (Text.of(flag), service.values.text(str(service.table[key])))
    yield from _program(service)


def _program(service: ComposeService) -> Iterator[Text]:
    """--entrypoint takes the program alone; its words go before the command's."""
    entrypoint = service.words("entrypoint") or []
    if entrypoint:
        yield from (Text.of("--entrypoint"), entrypoint[0])
    yield service.values.text(service.plain("image"))
    yield from entrypoint[1:]
    yield from service.words("command") or []


def _by_variable(service: ComposeService, name: str) -> bool:
    """Handed on from the service's own variables, so that `ps` doesn't show its value."""
    carriers = {"PORT", *(f"PORT_{port.container}" for port in service.ports)}
    return variables.is_name(name) and not variables.is_own(name) and name not in carriers


def _volume(mount: Mount) -> list[Part]:
    options = ":ro" if mount.read_only else ""
    if mount.is_bind or not mount.source:
        return [f"{mount.source}:{mount.target}{options}" if mount.source else mount.target]
    return [Ref("stack"), "-", Ref("instance"), f"-{mount.source}:{mount.target}{options}"]
