"""A compose service whose code and command are known → one that runs without docker. Pure."""

from __future__ import annotations

import posixpath
import re
from typing import NamedTuple

from supervisor.config import variables
from supervisor.importing.compose_addresses import Addresses, port_ref
from supervisor.importing.compose_service import ComposeService
from supervisor.importing.dockerfile import Words
from supervisor.importing.draft import Lost, Port, ServiceDraft
from supervisor.importing.own_port import find_own_port
from supervisor.importing.shell_lines import read_line
from supervisor.importing.texts import Ref, Text, join_words

CARRIED = frozenset(
    {"build", "image", "command", "entrypoint", "environment", "env_file", "ports", "expose", "depends_on"}
    | {"restart", "healthcheck", "working_dir", "profiles", "stop_signal", "stop_grace_period"}
)

_WRAPPER = re.compile(r"/|.*entrypoint|(?:dumb-init|tini|catatonit|gosu|su-exec)$")
"""What an image has in front of its command, and this machine hasn't."""


class Command(NamedTuple):
    text: Text
    shell: bool = False
    cwd: str | None = None
    env: dict[str, str] | None = None
    lost: str | None = None


def command(service: ComposeService) -> Command | None:
    """What it runs, by its own keys, else by its Dockerfile. Raises ValueError for an open quote."""
    own, entrypoint = service.words("command"), service.words("entrypoint")
    if entrypoint:
        return Command(join_words([*entrypoint, *(own or [])]))
    before, lost = _entrypoint(service.dockerfile.entrypoint)
    if own:
        return Command(join_words([*before, *own]), lost=lost)
    if before or service.dockerfile.cmd is None:
        words = service.dockerfile.cmd if isinstance(service.dockerfile.cmd, list) else []
        joined = join_words([*before, *map(Text.of, words)])
        return Command(joined) if joined.parts else _of_words(service.dockerfile.entrypoint, lost)
    return _of_words(service.dockerfile.cmd, lost)


def _entrypoint(words: Words) -> tuple[list[Text], str | None]:
    if not words:
        return [], None
    if isinstance(words, str) or _WRAPPER.match(words[0]):
        return [], "the ENTRYPOINT of its Dockerfile isn't run"
    return [Text.of(word) for word in words], None


def _of_words(words: Words, lost: str | None) -> Command | None:
    if isinstance(words, str):
        line = read_line(words)
        return Command(Text.of(line.command), line.shell, line.cwd, line.env, lost)
    return Command(join_words(map(Text.of, words)), lost=lost) if words else None


_SYSTEM = re.compile(r"/(?:usr/)?(?:local/)?s?bin/")


def reason_against(found: Command) -> str | None:
    """Why it can't be run here after all."""
    program = found.text.parts[0] if found.text.parts else ""
    if isinstance(program, str) and program.startswith("/") and not _SYSTEM.match(program):
        return "its program lies inside its image"
    return None


def is_native(service: ComposeService) -> bool:
    """Its code lies here: it is built from it, or has the folder in which it works mounted."""
    return bool(service.context) or _mounted_folder(service) is not None


def _mounted_folder(service: ComposeService) -> str | None:
    """What the folder in which it works is outside of the container."""
    inside = service.plain("working_dir") or service.dockerfile.workdir
    for mount in service.mounts:
        below = posixpath.relpath(inside or "/", mount.target or "/")
        if inside and mount.is_bind and not below.startswith(".."):
            return posixpath.normpath(posixpath.join(mount.source, below))
    return None


def run_here(
    service: ComposeService, found: Command, addresses: Addresses
) -> tuple[ServiceDraft, list[Lost]]:
    """The service, and what was lost on the way."""
    making = _Making(service, found, addresses)
    return making.draft, making.lost


class _Making:
    def __init__(self, service: ComposeService, found: Command, addresses: Addresses) -> None:
        self._service = service
        self._addresses = addresses
        self.lost: list[Lost] = []
        self.draft = ServiceDraft(service.name, found.text, found.shell, self._cwd(found))
        if found.lost:
            self._lose(found.lost, "build")
        told = self._ports()
        self.draft.command = self._translated(self.draft.command, "command")
        given = {name: Text.of(value) for name, value in (found.env or {}).items()}
        for name, value in (given | self._service.environment).items():
            told |= self._variable(name, value)
        if self.draft.ports and not told:
            usual = self._service.ports[0].container if self._service.ports else self.draft.ports[0].usual
            self._lose(f"nothing here tells it its port: it must listen on $PORT instead of {usual}", "ports")

    def _lose(self, what: str, key: str) -> None:
        self.lost.append(Lost(what, self._service.name, self._service.line(key)))

    def _cwd(self, found: Command) -> str:
        folder = _mounted_folder(self._service) or self._service.context or "."
        folder = posixpath.normpath(posixpath.join(folder, found.cwd or "."))
        return folder if "${" not in folder and "://" not in folder and "\0" not in folder else "."

    def _ports(self) -> bool:
        """Whether the command line names the port."""
        its = self._service.ports
        own = find_own_port(self.draft.command, its[0].container if its else self._port_variable())
        self.draft.command = own.command
        if its:
            self.draft.ports = [Port(its[0].host or its[0].container)]
        elif own.listens:
            self.draft.ports = [Port(own.usual)]
        for port in its[1:]:
            self._further(port.container, port.host)
        if own.env:
            self.draft.env[own.env] = Text.of(Ref("port"))
        return own.told

    def _port_variable(self) -> int | None:
        value = self._service.environment.get("PORT", Text.of()).plain
        return (
            int(value) if value and re.fullmatch(r"\d{2,5}", value, re.ASCII) and int(value) < 65536 else None
        )

    def _further(self, container: int, host: int | None) -> None:
        pool = Port(host or container, f"port-{container}", f"PORT_{container}")
        self.draft.ports.append(pool)
        ref = port_ref(self._service, container)
        number = re.compile(rf"(?<![\w.]){container}(?![\w.])")
        self.draft.command = self.draft.command.replace(number, lambda _: [ref] if ref else [])

    def _variable(self, name: str, value: Text) -> bool:
        """Whether it tells the service its port."""
        carriers = {"PORT", *(port.env for port in self.draft.ports)}
        number = value.plain or ""
        if name in carriers and (self.draft.ports or name != "PORT"):
            return number.isdecimal()
        if not variables.is_name(name) or name.startswith("PORTSUP_"):
            self._lose(f"the variable {name}: no name that services.toml takes", "environment")
            return False
        own = self._own_port(name, number)
        self.draft.env[name] = Text.of(own) if own else self._translated(value, name)
        return own is not None and own.name == "port"

    def _own_port(self, name: str, number: str) -> Ref | None:
        if "PORT" not in name.upper() or not re.fullmatch(r"\d{2,5}", number, re.ASCII):
            return None
        its = self._service.ports
        if its and its[0].container == int(number):
            return Ref("port")
        return port_ref(self._service, int(number)) or self._addresses.port(int(number), self._service)

    def _translated(self, text: Text, key: str) -> Text:
        translated, left = self._addresses.translated(text, key)
        for host in sorted(left):
            what = f"{key} names {host}, which only docker's network knows"
            self._lose(what, key if key == "command" else "environment")
        return translated
