"""Globs over the files below a folder, component by component. Pure.

As in a shell: `*`, `?` and `[…]` stay inside one name and don't match a dot at its front; `**` as a whole
component stands for any number of folders. Written by hand since Path.full_match is newer than the oldest
Python that we support, and since a watcher has to know which folders can lead to a match: it mustn't look
into the others.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

SKIPPED = frozenset({"node_modules", "__pycache__"})
"""Folders that no wildcard leads into, beside those that begin with a dot."""

ANY_FOLDERS = "**"

_MAGIC = re.compile(r"[*?[]")


class Glob:
    """One pattern, as the places in it where a path may stand."""

    def __init__(self, pattern: str) -> None:
        self._parts = tuple(pattern.split("/"))

    def matches(self, path: Sequence[str]) -> bool:
        """Whether the file with these components is meant."""
        *folders, name = path
        last = len(self._parts) - 1
        return any(
            (self._parts[place] == ANY_FOLDERS and not _is_hidden(name)) or _matches(self._parts[place], name)
            for place in self._places(folders)
            if place == last
        )

    def leads_into(self, folders: Sequence[str]) -> bool:
        """Whether files below that folder, at whatever depth, may be meant."""
        return bool(self._places(folders))

    def _places(self, folders: Sequence[str]) -> set[int]:
        """Which components may match what comes behind `folders`."""
        places = self._with_none({0})
        for folder in folders:
            places = self._with_none({after for place in places for after in self._after(place, folder)})
        return places

    def _after(self, place: int, folder: str) -> tuple[int, ...]:
        part = self._parts[place]
        if part == ANY_FOLDERS:
            return () if _is_hidden(folder) or folder in SKIPPED else (place,)
        skips = folder in SKIPPED and part != folder
        goes_on = place + 1 < len(self._parts) and not skips and _matches(part, folder)
        return (place + 1,) if goes_on else ()

    def _with_none(self, places: set[int]) -> set[int]:
        """`**` may stand for no folder at all."""
        for place in sorted(places):
            while self._parts[place] == ANY_FOLDERS and place + 1 < len(self._parts):
                place += 1
                places.add(place)
        return places


def _matches(part: str, name: str) -> bool:
    if _is_hidden(name) and _MAGIC.match(part):
        return False
    return fnmatchcase(name, part)


def _is_hidden(name: str) -> bool:
    return name.startswith(".")
