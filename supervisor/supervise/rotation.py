"""How a log is set aside: `web.log` becomes `web.log.1`, that `web.log.2`, and its times go with it.

Each step is one rename or one unlink, from the oldest to the newest: whoever is killed in between leaves
whole files, and a gap that the next rotation closes.
"""

from __future__ import annotations

import itertools
from contextlib import suppress
from pathlib import Path

from supervisor.paths import line_times, rotated_log
from supervisor.private import open_log

EARLIER = "earlier"
"""The folder, among the logs, of those that are no part of the instance's own any more."""


def rotate(log: Path, files: int) -> int:
    """A descriptor of a new, empty `log`; of what there was, `files` - 1 files are kept.

    Raises OSError or PortsupError if it can't be; then the log may have another name already.
    """
    oldest = _first_gap(log, max(files - 1, 1))
    # Not replaced by the rename: ext4 would write the new one out to the disk at once (auto_da_alloc).
    _remove(rotated_log(log, oldest))
    for age in range(oldest, 0, -1):
        _move(rotated_log(log, age - 1), rotated_log(log, age))
    fd = open_log(log)
    surplus = itertools.count(files)
    while _remove(rotated_log(log, next(surplus))):
        pass
    return fd


def _first_gap(log: Path, most: int) -> int:
    """The age that no file has, so that those that are older stay; at most `most`."""
    return next((age for age in range(most) if not rotated_log(log, age).exists()), most)


def _move(log: Path, to: Path) -> None:
    """Its times first: without them, they are unknown for those who look now."""
    _move_times(log, to)
    log.replace(to)


def _move_times(log: Path, to: Path) -> None:
    try:
        line_times(log).replace(line_times(to))
    except FileNotFoundError:
        line_times(to).unlink(missing_ok=True)  # they are about the one whose place is taken


def _remove(log: Path) -> bool:
    """Whether there was one to be removed."""
    try:
        log.unlink()
        line_times(log).unlink(missing_ok=True)
    except OSError:
        return False
    return True


def set_aside(log: Path) -> None:
    """Everything that earlier runs have left of `log` goes into a folder beside it, and what they had put
    there goes away. What can't be moved stays."""
    earlier = log.parent / EARLIER / log.name
    for file in _files(earlier):
        with suppress(OSError):
            file.unlink()
    found = _files(log)
    with suppress(OSError):
        if found:
            earlier.parent.mkdir(0o700, exist_ok=True)
        for file in found:
            file.replace(earlier.with_name(file.name))


def _files(log: Path) -> list[Path]:
    """All ages of it, with their times."""
    return [*log.parent.glob(f"{log.name}"), *log.parent.glob(f"{log.name}.*")]
