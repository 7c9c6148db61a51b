"""What tests of importers share: the loader's own word on what they made."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from supervisor.config.load import load
from supervisor.config.model import Config, Service
from supervisor.importing.draft import Draft
from supervisor.importing.writer import write


def loaded(draft: Draft, files: Mapping[str, str] | None = None) -> Config:
    """services.toml of a draft, read again, among `files`. Raises ConfigError if the loader takes offence."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (files or {}).items():
            Path(folder, name).write_text(text)
        path = Path(folder, "services.toml")
        path.write_text(write(draft), encoding="utf-8")
        return load(path)


def service(config: Config, name: str) -> Service:
    (found,) = [one for one in config.services if one.name == name]
    return found


def told(draft: Draft) -> str:
    """All that was not carried over."""
    return "\n".join(draft.report())
