"""The files from which `portsup init` makes a services.toml: which there are, and reading them."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from supervisor.config.load import FILE_NAME
from supervisor.errors import ConfigError

if TYPE_CHECKING:
    from supervisor.importing.draft import Draft
    from supervisor.importing.package_json import Package

PROCFILES = ("Procfile.dev", "Procfile")
COMPOSE_FILES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
PACKAGE_FILE = "package.json"
PNPM_WORKSPACE = "pnpm-workspace.yaml"
SOURCES = (*PROCFILES, *COMPOSE_FILES, PACKAGE_FILE)
"""Where there are several, the first one is read."""

OVERRIDES = tuple(
    f"{stem}.override{end}" for stem in ("compose", "docker-compose") for end in (".yaml", ".yml")
)


def find_source() -> Path | None:
    """The first one in this folder."""
    return next((Path(name) for name in SOURCES if Path(name).is_file()), None)


def read_source(source: Path, folder: Path) -> Draft:
    """What a services.toml in `folder` will say. Raises ConfigError for a source that can't be read, or
    that has nothing for portsup."""
    draft = _draft(source)
    if not draft.live:
        details = [f"{service.name}: {service.disabled}" for service in draft.services]
        raise ConfigError(f"nothing in {source} can be carried over", details=details)
    _tell_of_neighbours(source, draft)
    _move(draft, os.path.relpath(source.parent, folder))
    _keep_readable_env_files(draft, folder)
    return draft


def _draft(source: Path) -> Draft:
    text = _text(source)
    if source.suffix == ".json":
        return _from_package(source, text)
    if source.suffix in (".yaml", ".yml"):
        from supervisor.importing.compose import read_compose

        return read_compose(
            text, source.name, _dotenv(source.parent), lambda path: _try_text(source.parent / path)
        )
    from supervisor.importing.procfile import read_procfile

    draft = read_procfile(text, source.name)
    if (source.parent / ".env").is_file():
        draft.env_files.append(".env")
    return draft


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"cannot read {path}: it is not UTF-8", hint="save it as UTF-8") from error


def _try_text(path: Path) -> str | None:
    """None for what is no file: it may be a pipe that never ends."""
    try:
        return _text(path) if path.is_file() else None
    except (ConfigError, OSError, ValueError):
        return None


def _from_package(source: Path, text: str) -> Draft:
    from supervisor.importing.package_json import draft_of, read_package

    root = read_package(text, source.name)
    members = list(_members(source.parent, root))
    files = {path.name for path in source.parent.iterdir()}
    return draft_of(root, members, files, source.name)


def _members(folder: Path, root: Package) -> Iterator[Package]:
    from supervisor.importing.package_json import read_package

    patterns = [*root.workspaces, *_pnpm_patterns(folder)]
    excluded = [pattern.removeprefix("!") for pattern in patterns if pattern.startswith("!")]
    found = {path: None for pattern in patterns for path in _packages(folder, pattern)}
    for path in found:
        member = path.parent.relative_to(folder)
        if "node_modules" not in member.parts and not any(member.match(pattern) for pattern in excluded):
            yield read_package(_text(path), str(path), member.as_posix())


def _packages(folder: Path, pattern: str) -> list[Path]:
    """Of one of a workspace's patterns, which are globs below the folder."""
    if pattern.startswith(("!", "/")) or ".." in pattern.split("/"):
        return []
    try:
        return sorted(folder.glob(f"{pattern.removeprefix('./').rstrip('/')}/{PACKAGE_FILE}"))
    except (ValueError, OSError):
        return []


def _pnpm_patterns(folder: Path) -> list[str]:
    text = _try_text(folder / PNPM_WORKSPACE)
    if text is None:
        return []
    from supervisor.importing.yaml_text import read_yaml

    document = read_yaml(text, PNPM_WORKSPACE)
    listed = document.get("packages") if isinstance(document, dict) else None
    return [entry for entry in listed if isinstance(entry, str)] if isinstance(listed, list) else []


def _tell_of_neighbours(source: Path, draft: Draft) -> None:
    """Of what wasn't read."""
    from supervisor.importing.draft import Lost

    if source.name in COMPOSE_FILES:
        for name in OVERRIDES:
            if (source.parent / name).is_file():
                draft.lost.append(Lost(f"{name}, which compose would lay over it"))
    others = [name for name in SOURCES if name != source.name and (source.parent / name).is_file()]
    if others:
        draft.lost.append(Lost(f"{', '.join(others)} beside it: `portsup init NAME` reads another one"))


def _move(draft: Draft, origin: str) -> None:
    """`origin` is the source's folder, as seen from where services.toml will be."""
    for service in draft.services:
        service.cwd = posixpath.normpath(posixpath.join(origin, service.cwd))
    moved = (posixpath.normpath(posixpath.join(origin, name)) for name in draft.env_files)
    draft.env_files = list(dict.fromkeys(moved))


def _dotenv(folder: Path) -> Mapping[str, str]:
    values, _ = _env_file(folder, ".env")
    return values


def _keep_readable_env_files(draft: Draft, folder: Path) -> None:
    """One that is missing, or has lines that portsup doesn't take, would make all of services.toml wrong."""
    from supervisor.importing.draft import Lost

    for name in list(draft.env_files):
        _, reason = _env_file(folder, name)
        if reason is not None:
            draft.env_files.remove(name)
            draft.lost.append(
                Lost(f"the env file {name}: {reason}; add it to stack.env_files when it is right")
            )


def _env_file(folder: Path, name: str) -> tuple[dict[str, str], str | None]:
    """What it says, and why the loader would not take it."""
    from supervisor.config.env_files import read_env_files
    from supervisor.config.fields import Field
    from supervisor.config.lines import Lines
    from supervisor.config.problems import Problems

    problems = Problems(folder / FILE_NAME, Lines(""))
    values = read_env_files(Field([name], ("stack", "env_files"), problems), [name], folder)
    try:
        problems.raise_errors()
    except ConfigError as error:
        return values, error.details[0].partition("env_files: ")[2] or error.details[0]
    return values, None
