"""services.toml → Config, with all of its errors at once."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from supervisor.config import checks, dependencies, keys, pools, references
from supervisor.config.env_files import read_env_files
from supervisor.config.ephemeral import ephemeral_range
from supervisor.config.fields import Field, attempt, read_table
from supervisor.config.lines import Lines
from supervisor.config.model import Config
from supervisor.config.pool_keys import HIGHEST_PORT
from supervisor.config.problems import Problems, suggestion
from supervisor.config.services import Draft, read_services
from supervisor.errors import NO_DESCRIPTORS, ConfigError

FILE_NAME = "services.toml"

_ELSEWHERE = "go to the project's folder, or name the file with -f/--file"


def load(path: Path) -> Config:
    """Read, check and freeze. Raises ConfigError with one detail line for each problem of the file."""
    file = _identity(path)
    text = _read(file)
    problems = Problems(file, Lines(text))
    document = Field(parse(file, text), (), problems)
    config = _config(file, document)
    problems.raise_errors()
    return config


def _identity(path: Path) -> Path:
    """The absolute path that tells one worktree from another: links in its folder are followed, but
    not the file itself, which two worktrees may share by a link."""
    try:
        return Path(os.path.realpath(path.parent)) / path.name
    except OSError as error:
        raise ConfigError(f"cannot find {path}: {error.strerror}", hint=_ELSEWHERE) from error


def _read(file: Path) -> str:
    try:
        data = file.read_bytes()
    except OSError as error:
        if error.errno in NO_DESCRIPTORS:
            raise  # no fault of the file
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"cannot read {file}: {reason}", hint=_ELSEWHERE) from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"cannot read {file}: it is not UTF-8",
            details=[f"{file}:{line}: byte 0x{data[error.start]:02x} is not UTF-8"],
            hint="save it as UTF-8",
        ) from error


def parse(file: Path, text: str) -> dict[str, Any]:
    """Text → TOML document. Raises ConfigError with the line, and a hint for the usual slips."""
    import tomllib

    try:
        return tomllib.loads(text)
    except (RecursionError, ValueError) as error:  # TOMLDecodeError, or a number with thousands of digits
        from supervisor.config.syntax import explained  # only where there is something to explain

        complaint = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise explained(file, text, complaint) from error


class _Stack(NamedTuple):
    name: str
    base_port: int = 6000
    stride: int = 100
    env_files: Sequence[str] = ()


def _config(file: Path, document: Field) -> Config:
    for key, field in document.table().items():
        if key not in keys.DOCUMENT:
            field.wrong("unknown key", suggestion(key, keys.DOCUMENT))
    stack = _stack(document, file.parent)
    drafts = read_services(document, file.parent)
    _check(drafts)
    if not any(document.problems.blames(("stack", key)) for key in ("base_port", "stride")):
        pools.check_ports(drafts, stack.base_port, stack.stride)
    env_files = document.at("stack", "env_files")
    return Config(
        path=file,
        stack=stack.name,
        base_port=stack.base_port,
        stride=stack.stride,
        env=read_env_files(env_files, stack.env_files, file.parent),
        services=tuple(draft.service for draft in drafts),
        ephemeral=ephemeral_range(),
        warnings=document.problems.warnings,
    )


def _stack(document: Field, folder: Path) -> _Stack:
    field = document.at("stack")
    values = attempt(field, lambda table: read_table(table, keys.STACK)) if document.has("stack") else None
    stack = _Stack(**{"name": _default_name(folder), **(values or {})})
    if stack.base_port + stack.stride > HIGHEST_PORT + 1:
        at = field.at("base_port") if field.has("base_port") else field.at("stride")
        at.wrong(
            f"instance 1 would run past port {HIGHEST_PORT}: base_port + stride is "
            f"{stack.base_port + stack.stride}",
            f"base_port + stride may be {HIGHEST_PORT + 1} at most",
        )
    return stack


def _default_name(folder: Path) -> str:
    """The folder's name, with what a stack's name can't hold as `-`: it becomes part of file names."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", folder.name)[:64].lstrip(".-_") or "stack"


def _check(drafts: Sequence[Draft]) -> None:
    checks.check(drafts)
    dependencies.check(drafts)
    pools.check_variables(drafts)
    references.check(drafts)
