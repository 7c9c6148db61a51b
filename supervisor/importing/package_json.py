"""package.json → draft: which scripts are services, and how its package manager runs them. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from supervisor.errors import ConfigError
from supervisor.importing.draft import Draft, Lost, Port, ServiceDraft
from supervisor.importing.naming import legal_names
from supervisor.importing.own_port import find_own_port, names_port, option
from supervisor.importing.servers import Server, server_in
from supervisor.importing.shell_lines import read_line
from supervisor.importing.texts import Ref, Text

MAIN_SCRIPTS = ("dev", "develop", "start:dev", "serve", "start", "watch")
"""The first one that there is, is the package's service."""

NODE_PORT = 3000
"""By convention, where nothing else is known."""


class Manager(NamedTuple):
    """A package manager: what goes before a script's name, its arguments, and a package's program."""

    run: str
    arguments: str
    program: str


_NPM = Manager("npm run", " --", "npx")
_PNPM = Manager("pnpm run", "", "pnpm exec")
_YARN = Manager("yarn run", "", "yarn run")
_BUN = Manager("bun run", "", "bunx")

MANAGERS = {
    "package-lock.json": _NPM,
    "npm-shrinkwrap.json": _NPM,
    "pnpm-lock.yaml": _PNPM,
    "yarn.lock": _YARN,
    "bun.lock": _BUN,
    "bun.lockb": _BUN,
}
"""By the lock file."""

_BY_NAME = {"npm": _NPM, "pnpm": _PNPM, "yarn": _YARN, "bun": _BUN}
"""By the key packageManager."""

_RUNS_OTHERS = re.compile(
    r"\b(?:concurrently|npm-run-all|run-p|turbo|nx|lerna|wsrun|preconstruct)\b"
    r"|\bpnpm\s+(?:.*\s)?(?:-r|--recursive|--filter|-F|--parallel)\b"
    r"|\bnpm\s+(?:.*\s)?(?:--workspaces?|-ws?)\b|\byarn\s+workspaces?\b|\bbun\s+(?:.*\s)?--filter\b"
)
_WATCHER = re.compile(
    r"\b(?:tsc|tailwindcss|esbuild|rollup|sass|postcss|webpack|tsup|chokidar)\b(?!\s+serve)"
)
_PORT_ASSIGNED = re.compile(r"(?<!\S)PORT=(\d{2,5})\s+")
_NEEDS_NO_PACKAGE = re.compile(r"(?:node|bun|deno|npm|npx|pnpm|yarn|sh|bash)\b|\.?/")


class Package(NamedTuple):
    folder: str
    """Relative to the file that was asked for."""
    name: str
    scripts: dict[str, str]
    manager: Manager | None
    workspaces: tuple[str, ...]
    """Patterns of folders."""


def read_package(text: str, source: str, folder: str = ".") -> Package:
    """Raises ConfigError with file and line for what is no JSON object."""
    document = _parse(text, source)
    scripts = document.get("scripts")
    named = str(document.get("packageManager", "")).partition("@")[0]
    name = str(document.get("name", "")).rpartition("/")[2]
    return Package(
        folder,
        name if _is_sound(name) else "",
        {key: value for key, value in _entries(scripts) if _is_sound(key + value)},
        _BY_NAME.get(named),
        tuple(_patterns(document.get("workspaces"))),
    )


def _parse(text: str, source: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        detail = f"{source}:{error.lineno}: {error.msg[:1].lower()}{error.msg[1:]}"
        raise ConfigError(f"{source} is not valid JSON", details=[detail]) from error
    except (RecursionError, ValueError) as error:  # ValueError: a number with thousands of digits
        raise ConfigError(f"{source} is not valid JSON") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{source} is no package", hint="a package.json is an object in braces")
    return document


def _entries(scripts: Any) -> Iterator[tuple[str, str]]:
    for key, value in scripts.items() if isinstance(scripts, dict) else ():
        if isinstance(value, str) and value.strip():
            yield key, value


def _is_sound(text: str) -> bool:
    """Neither a NUL, which no program can be given, nor half a character."""
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def _patterns(workspaces: Any) -> list[str]:
    listed = workspaces.get("packages") if isinstance(workspaces, dict) else workspaces
    return [entry for entry in listed if isinstance(entry, str)] if isinstance(listed, list) else []


def draft_of(root: Package, members: Collection[Package], files: Collection[str], source: str) -> Draft:
    """`members` are the packages of its workspaces, `files` the names of what lies beside it.

    Raises ConfigError if no script is a service's.
    """
    manager = root.manager or next((MANAGERS[name] for name in MANAGERS if name in files), _NPM)
    draft = Draft(source)
    chosen = list(_chosen(root, members))
    names = legal_names(dict.fromkeys(one.title for one in chosen))
    for one in chosen:
        draft.services.append(_service(one, names[one.title], manager, draft))
    if not draft.services:
        raise ConfigError(
            f"{source} has no script that is a service",
            hint=f"portsup looks for {', '.join(MAIN_SCRIPTS)} and dev:*",
        )
    for package in (root, *members):
        _tell_of_the_rest(package, [one.script for one in chosen if one.package is package], manager, draft)
    return draft


class _Chosen(NamedTuple):
    package: Package
    script: str
    title: str


def _chosen(root: Package, members: Collection[Package]) -> Iterator[_Chosen]:
    of_members = [one for member in members for one in _of_package(member, alone=False)]
    own = list(_of_package(root, alone=not of_members))
    if of_members and any(_RUNS_OTHERS.search(root.scripts[one.script]) for one in own):
        own = []
    seen: set[str] = set()
    for one in [*own, *of_members]:
        title = one.title if one.title not in seen else f"{one.title}-{one.package.folder.rpartition('/')[2]}"
        seen.add(title)
        yield one._replace(title=title)


def _of_package(package: Package, *, alone: bool) -> Iterator[_Chosen]:
    main = next((name for name in MAIN_SCRIPTS if name in package.scripts), None)
    parts = [name for name in package.scripts if name.startswith("dev:") and name != "dev:"]
    if parts and (main is None or _RUNS_OTHERS.search(package.scripts[main])):
        for name in parts:
            title = name.removeprefix("dev:")
            yield _Chosen(package, name, title if alone else f"{_title(package)}-{title}")
    elif main is not None:
        yield _Chosen(package, main, _title(package))


def _title(package: Package) -> str:
    return package.name or package.folder.rpartition("/")[2].strip(".") or "web"


def _service(one: _Chosen, name: str, manager: Manager, draft: Draft) -> ServiceDraft:
    script = one.package.scripts[one.script]
    service = ServiceDraft(name, Text.of(f"{manager.run} {one.script}"), cwd=one.package.folder)
    service.remarks.append(f"the script {one.script} of {one.package.name or 'this package'}")
    if _PORT_ASSIGNED.search(script) or names_port(script):
        _with_number(service, script, manager, draft)
    elif (server := server_in(script)) is not None:
        _by_server(service, server, manager)
    elif not _WATCHER.search(script) and not _RUNS_OTHERS.search(script):
        service.ports = [Port(NODE_PORT)]
        service.remarks.append("let it listen on $PORT, if it doesn't yet")
    return service


def _with_number(service: ServiceDraft, script: str, manager: Manager, draft: Draft) -> None:
    """The script itself, with `${port}` where it names its port: behind the script's name, a second port
    would not overrule the first."""
    assigned = _PORT_ASSIGNED.search(script)
    line = read_line(_PORT_ASSIGNED.sub("", script))
    own = find_own_port(Text.of(line.command), int(assigned[1]) if assigned else None)
    if own.usual is None or "$PORT" in script or "${PORT" in script:
        service.ports = [Port(own.usual or NODE_PORT)]
        return
    service.ports = [Port(own.usual)]
    if line.shell:
        draft.lost.append(Lost(f"its script names port {own.usual}: have it use $PORT", service.name))
        return
    before = "" if _NEEDS_NO_PACKAGE.match(line.command) else f"{manager.program} "
    service.command = Text.of(before, *own.command.parts)
    service.env = {key: Text.of(value) for key, value in line.env.items() if not key.startswith("PORTSUP_")}
    service.cwd = f"{service.cwd}/{line.cwd}"


def _by_server(service: ServiceDraft, server: Server, manager: Manager) -> None:
    service.ports = [Port(server.usual)]
    if server.env is not None:
        service.env[server.env] = Text.of(Ref("port"))
    if server.option is not None:
        service.command = Text.of(*service.command.parts, manager.arguments, *option(server.option))


def _tell_of_the_rest(package: Package, chosen: Collection[str], manager: Manager, draft: Draft) -> None:
    rest = [name for name in package.scripts if name not in chosen]
    if rest:
        where = "" if package.folder == "." else f" of {package.folder}"
        how = f"`portsup exec -- {manager.run} NAME` runs one with the instance's variables"
        draft.lost.append(Lost(f"scripts{where} that are no services: {', '.join(rest)}; {how}"))
