"""A file of stack.env_files: variables that a process can have, or errors that point into the file."""

from __future__ import annotations

from fuzz.toml import loaded
from supervisor.config.model import Config

SERVICES = b'[stack]\nenv_files = [".env"]\n[services.job]\ncommand = "job"\n'


def check(data: bytes) -> None:
    found = loaded(SERVICES, data)
    if isinstance(found, Config):
        return
    for one in found:
        assert one.key == "stack.env_files"
        # What isn't UTF-8 has no lines: services.toml is blamed, where it names the file.
        assert one.file.name == ".env" or (one.line == 2 and "is not UTF-8" in one.text)
