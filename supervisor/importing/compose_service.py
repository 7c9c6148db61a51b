"""One service of a compose file: what its keys say, whatever form they have. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from types import UnionType
from typing import Any, NamedTuple

from supervisor.importing.compose_ports import Published, Unread, exposed, ports
from supervisor.importing.compose_values import Values
from supervisor.importing.dockerfile import Dockerfile
from supervisor.importing.servers import image_port
from supervisor.importing.texts import Text, split_words
from supervisor.importing.yaml_text import Table


class Mount(NamedTuple):
    source: str
    """A folder or file, or a volume's name; empty: a volume without one."""
    target: str
    """In the container."""
    read_only: bool = False

    @property
    def is_bind(self) -> bool:
        return self.source.startswith((".", "/", "~"))


_SHAPES: dict[str, type | UnionType] = {
    **dict.fromkeys(("command", "entrypoint", "env_file"), str | list),
    **dict.fromkeys(("environment", "depends_on", "networks"), list | dict),
    **dict.fromkeys(("ports", "expose", "volumes"), list),
    **dict.fromkeys(("image", "restart", "working_dir", "stop_signal", "stop_grace_period"), str),
    "healthcheck": dict,
}


def _is_flat(key: str, value: Any) -> bool:
    """Whether an environment has texts alone, or names without one."""
    entries = value.values() if isinstance(value, dict) else value
    return key != "environment" or all(isinstance(entry, str | None) for entry in entries)


class ComposeService:
    def __init__(self, key: str, name: str, table: Table, values: Values, dockerfile: Dockerfile) -> None:
        self.key, self.name, self.table, self.values, self.dockerfile = key, name, table, values, dockerfile

    def line(self, key: str) -> int:
        return self.table.lines.get(key, 0)

    def has(self, key: str) -> bool:
        return self.table.get(key) not in (None, "", [], {})

    def plain(self, key: str) -> str:
        """A key's text, filled in; "" if there is none."""
        value = self.table.get(key)
        return self.values.plain(value) if isinstance(value, str) else ""

    @cached_property
    def hosts(self) -> set[str]:
        """By which the other containers know it."""
        names = {self.key, self.plain("container_name"), self.plain("hostname")}
        networks = self.table.get("networks")
        for network in networks.values() if isinstance(networks, dict) else ():
            aliases = network.get("aliases") if isinstance(network, dict) else None
            names |= {alias for alias in aliases or () if isinstance(alias, str)}
        return names - {""}

    def words(self, key: str) -> list[Text] | None:
        """`command` or `entrypoint`; None if it isn't there. Raises ValueError for an open quote."""
        value = self.table.get(key)
        if isinstance(value, str) and value.strip():
            return split_words(self.values.text(value))
        if isinstance(value, list):
            return [self.values.text(word) for word in value if isinstance(word, str)]
        return None

    @cached_property
    def environment(self) -> dict[str, Text]:
        """What has a value; what has none comes from the shell, here as there."""
        return dict(self._environment())

    def _environment(self) -> Iterator[tuple[str, Text]]:
        entries = self.table.get("environment")
        if isinstance(entries, dict):
            for name, value in entries.items():
                if isinstance(value, str):
                    yield name, self.values.text(value)
        for entry in entries if isinstance(entries, list) else ():
            name, equals, value = entry.partition("=") if isinstance(entry, str) else ("", "", "")
            if equals:
                yield name, self.values.text(value)

    @cached_property
    def ports(self) -> list[Published]:
        """Each of the container's ports once; those that are published first."""
        found = [port for port in self._all_ports if isinstance(port, Published)]
        if not found and not self.has("build") and (known := image_port(self.plain("image"))):
            found = [Published(known)]
        unique: dict[int, Published] = {}
        for port in found:
            unique.setdefault(port.container, port)
        return list(unique.values())

    def learn_port(self, text: str | None) -> None:
        """A port by which another service calls it."""
        known = {str(port.container) for port in self.ports}
        for port in exposed([text], self.values) if text and text not in known else ():
            if isinstance(port, Published):
                self.ports.append(port)

    @property
    def unread_ports(self) -> list[Unread]:
        return [port for port in self._all_ports if isinstance(port, Unread)]

    @property
    def _all_ports(self) -> list[Published | Unread]:
        return [
            *ports(self.table.get("ports"), self.values),
            *exposed(self.table.get("expose"), self.values),
        ]

    def misshapen(self) -> Iterator[str]:
        """Keys that say something in a form that compose doesn't know."""
        for key, shapes in _SHAPES.items():
            value = self.table.get(key)
            if value is not None and not (isinstance(value, shapes) and _is_flat(key, value)):
                yield key

    def depends_on(self) -> dict[str, str]:
        """Service → the condition."""
        value = self.table.get("depends_on")
        if isinstance(value, dict):
            return {
                key: str(entry.get("condition", "")) if isinstance(entry, dict) else ""
                for key, entry in value.items()
            }
        return {key: "" for key in value if isinstance(key, str)} if isinstance(value, list) else {}

    def env_files(self) -> list[str]:
        value = self.table.get("env_file")
        entries = value if isinstance(value, list) else [value]
        paths = [entry.get("path") if isinstance(entry, dict) else entry for entry in entries]
        return [self.values.plain(path) for path in paths if isinstance(path, str)]

    @cached_property
    def mounts(self) -> list[Mount]:
        value = self.table.get("volumes")
        found = [self._mount(entry) for entry in value] if isinstance(value, list) else []
        return [mount for mount in found if mount is not None]

    def _mount(self, entry: Any) -> Mount | None:
        if isinstance(entry, dict):
            source, target = (self.values.plain(str(entry.get(key) or "")) for key in ("source", "target"))
            return Mount(source, target, entry.get("read_only") == "true") if target else None
        if not isinstance(entry, str):
            return None
        source, colon, rest = self.values.plain(entry).partition(":")
        target, _, options = rest.partition(":")
        return Mount(source, target, "ro" in options.split(",")) if colon else Mount("", source)

    @property
    def has_only_files_from_here(self) -> bool:
        """What it has mounted is there without docker as well."""
        return all(mount.is_bind and mount.source.startswith(".") for mount in self.mounts)

    @property
    def context(self) -> str:
        """The folder that its image is built from; "" if it isn't, or from what lies elsewhere."""
        build = self.table.get("build")
        context = build.get("context", ".") if isinstance(build, dict) else build
        path = self.values.plain(context) if isinstance(context, str) else ""
        return "" if _ELSEWHERE.match(path) else path


_ELSEWHERE = re.compile(r"[\w+.-]*://|git@")


def dockerfile_path(table: Table, values: Values) -> str | None:
    """Relative to the compose file; None if the service isn't built from a folder."""
    build = table.get("build")
    context, name = build, "Dockerfile"
    if isinstance(build, dict):
        context, name = build.get("context", "."), build.get("dockerfile", "Dockerfile")
    if not isinstance(context, str) or not isinstance(name, str):
        return None
    return f"{values.plain(context)}/{values.plain(name)}"
