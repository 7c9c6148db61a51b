"""Which services.toml a command means.

It is looked for, never read: `status` and `down` work as well after it was broken or deleted.
"""

from __future__ import annotations

import os
from pathlib import Path

from supervisor import paths
from supervisor.errors import ConfigError

FILE_NAME = "services.toml"

EXAMPLE = """\
[services.web]
command = "python3 -m http.server ${port}"
pool = { offset = 10, size = 3 }
"""

ELSEWHERE = "`portsup ps` lists what runs on this machine"


def find_config(file: Path | None) -> Path:
    """The absolute path of `file`, else of the nearest services.toml, here or in a folder above.

    A folder counts too if an instance still runs from a services.toml that was deleted there: else a
    worktree inside another one would be taken for the outer one. Raises ConfigError if there is neither.
    """
    if file is not None:
        return _given(file)
    here = _current_folder()
    if os.path.lexists(here / FILE_NAME):  # a dangling link is the loader's to complain about
        return here / FILE_NAME
    deleted = _deleted_configs()  # only now: it reads the record of every instance on the machine
    for folder in (here, *here.parents):
        if os.path.lexists(folder / FILE_NAME):
            return folder / FILE_NAME
        if folder in deleted:
            return deleted[folder]
    raise ConfigError(
        f"no {FILE_NAME} in {here} or in a folder above it",
        details=["the shortest that is of use:", *(f"  {line}" for line in EXAMPLE.splitlines())],
        hint=f"write a {FILE_NAME}, or name one with --file PATH; {ELSEWHERE}",
    )


def _current_folder() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise ConfigError(
            "the current folder does not exist any more",
            hint="go to another one; `portsup ps` lists what runs on this machine",
        ) from error


def _given(file: Path) -> Path:
    """Links to folders are followed and a link to a file is not: each worktree has its own stack."""
    path = file / FILE_NAME if os.path.isdir(file) else file  # noqa: PTH112 - Path.is_dir may raise
    path = Path(os.path.realpath(path.parent)) / path.name
    if not os.path.lexists(path) and path not in _deleted_configs().values():
        raise ConfigError(f"there is no {path}", hint=ELSEWHERE)
    return path


def _deleted_configs() -> dict[Path, Path]:
    """Folder → services.toml, for instances that run from a file that is no longer there.

    Not by Path.exists, which raises for what lies in another user's private folder.
    """
    from supervisor.control import registry  # with a client and its sockets: rarely needed

    known = registry.instances(paths.lock_folder(), include_dead=True)
    configs = {Path(record.config) for record in known if registry.may_speak(record)}
    return {config.parent: config for config in configs if not os.path.exists(config)}  # noqa: PTH110
