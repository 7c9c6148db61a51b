"""Addresses inside docker's network → addresses on this machine. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from supervisor.config.interpolate import names_of_pool
from supervisor.config.model import MAIN_POOL
from supervisor.importing.compose_service import ComposeService
from supervisor.importing.texts import Part, Ref, Text

LOOPBACK = "127.0.0.1"


def pool_of(service: ComposeService, container_port: int) -> str | None:
    """The first port is the main pool's, each further one has a pool with its number in the name."""
    for index, port in enumerate(service.ports):
        if port.container == container_port:
            return f"port-{container_port}" if index else MAIN_POOL
    return None


def port_ref(service: ComposeService, container_port: int) -> Ref | None:
    pool = pool_of(service, container_port)
    return Ref(names_of_pool(service.name, pool)[0]) if pool is not None else None


class Addresses:
    """What the containers of a stack are called, and where those live that portsup runs."""

    def __init__(self, services: Iterable[ComposeService], live: Iterable[ComposeService]) -> None:
        self._all = list(services)
        self._live = {host: service for service in live for host in service.hosts}
        hosts = {host for service in self._all for host in service.hosts}
        alternatives = "|".join(map(re.escape, sorted(hosts, key=len, reverse=True))) or "(?!)"
        self._pattern = re.compile(rf"(?<![\w.-])(?P<host>{alternatives})(?::(?P<port>\d+))?(?![\w.-])")

    def translated(self, text: Text, key: str = "") -> tuple[Text, set[str]]:
        """The text with local addresses, and the names that it still has of services that don't run.

        `key`: the variable's name, which tells whether a bare name in it is a host or a user's, say.
        """
        left: set[str] = set()

        def made(match: re.Match[str]) -> list[Part]:
            if not _is_address(match, key):
                return [match[0]]
            service = self._live.get(match["host"])
            here = _here(service, match) if service is not None else None
            if here is None:
                left.add(match["host"])
            return here or [match[0]]

        return text.replace(self._pattern, made), left

    def add_ports_that_others_name(self) -> None:
        """Inside docker's network a port is reachable without being published, or declared at all."""
        owners = {host: service for service in self._all for host in service.hosts}
        for service in self._all:
            for text in service.environment.values():
                for part in text.parts:
                    for match in self._pattern.finditer(part) if isinstance(part, str) else ():
                        owners[match["host"]].learn_port(match["port"])

    def port(self, number: int, me: ComposeService) -> Ref | None:
        """The only one of the others that listens there in its container."""
        found = [service for service in self._services if service is not me and pool_of(service, number)]
        return port_ref(found[0], number) if len(found) == 1 else None

    @property
    def _services(self) -> list[ComposeService]:
        return list({id(service): service for service in self._live.values()}.values())


_HOST_KEY = re.compile(r"HOST|SERVER|ADDR|ENDPOINT|BROKER|NODE", re.IGNORECASE)


def _is_address(match: re.Match[str], key: str) -> bool:
    """`db:5432`, `//db/`, `@db/`, or DB_HOST=db; elsewhere it is a word like any other."""
    if match["port"]:
        return True
    if match.span() == (0, len(match.string)):
        return _HOST_KEY.search(key) is not None
    return match.string[: match.start()].endswith(("//", "@"))


def _here(service: ComposeService, match: re.Match[str]) -> list[Part] | None:
    if match["port"]:
        ref = port_ref(service, int(match["port"]))
        return [f"{LOOPBACK}:", ref] if ref else None
    if match.start() == 0 or not service.ports:
        return [LOOPBACK]
    return [f"{LOOPBACK}:", Ref(names_of_pool(service.name)[0])]
