"""services.toml → Config, with all of its errors at once."""

from __future__ import annotations

from pathlib import Path

from supervisor.config.model import Config

FILE_NAME = "services.toml"


def find(start: Path) -> Path:
    """The services.toml of `start` or of the nearest folder above it. Raises ConfigError."""
    raise NotImplementedError


def load(path: Path) -> Config:
    """Read, check and freeze. Raises ConfigError with one detail line for each problem of the file."""
    raise NotImplementedError
