"""The last instance number of each worktree, remembered beside its logs, never in the worktree."""

from __future__ import annotations

from pathlib import Path

from supervisor import paths, private
from supervisor.config.model import Config

KEY = "last_instance"


def _file(config: Config) -> Path:
    return paths.worktree_folder(config.path, config.stack) / "worktree.toml"


def last_instance(config: Config) -> int | None:
    """The number that this worktree's last instance had."""
    import tomllib

    try:
        number = tomllib.loads(_file(config).read_text(encoding="utf-8")).get(KEY)
    except (OSError, ValueError):
        return None
    return number if isinstance(number, int) and number >= 1 else None


def remember_instance(config: Config, number: int) -> None:
    """In the instance's folder, which is there. A memory that can't be written is no reason to fail."""
    import tomli_w

    file = _file(config)
    try:
        with open(file, "w", encoding="utf-8", opener=private.open_private) as written:
            written.write(tomli_w.dumps({KEY: number}))
    except OSError:
        pass
