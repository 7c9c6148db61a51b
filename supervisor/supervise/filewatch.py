"""Services that restart when their files change: one thread for all of them, while there are any.

Only the folders that a glob leads into are watched, each by itself: a watch of a whole tree would take one
of the user's inotify watches for every folder of node_modules. So a new folder has to be told apart: the
set of folders is made anew then, and what the folder already holds counts as changed.

watchfiles waits in the kernel by its own thread and is asked every QUIET seconds by ours: that is what an
idle instance with `watch` costs. The library is imported by the thread, and by nobody else.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from supervisor.config.globs import Glob
from supervisor.supervise.events import EventLog

if TYPE_CHECKING:
    from watchfiles._rust_notify import RustNotify

QUIET_MS = 200
"""A burst of changes is over after so long without another."""

AT_MOST_MS = 2000
"""From the first change of a burst until it counts as over anyhow."""

ADDED = 1
"""watchfiles.Change.added."""

MORE_WATCHES = "raise the limit: sysctl fs.inotify.max_user_watches=524288, or name fewer folders in `watch`"
MORE_INSTANCES = "raise the limit: sysctl fs.inotify.max_user_instances=1024"

Changes = set[tuple[int, str]]
"""Kind and path, as watchfiles gives them."""


class Watched(NamedTuple):
    """The files of one service."""

    service: str
    folder: Path
    patterns: tuple[str, ...]


class _Files:
    """`Watched` at work."""

    def __init__(self, watched: Watched) -> None:
        self.service = watched.service
        self.folder = str(watched.folder)
        self._globs = [Glob(pattern) for pattern in watched.patterns]

    def folders(self) -> Iterator[str]:
        """All that there are now and that a glob leads into, and the one above: a checkout may remove the
        service's own folder and make it anew."""
        above = os.path.dirname(self.folder)  # noqa: PTH120
        if os.path.isdir(above):  # noqa: PTH112
            yield above
        waiting = [self.folder] if os.path.isdir(self.folder) else []  # noqa: PTH112 - a str for each file
        while waiting:
            folder = waiting.pop()
            yield folder
            waiting += [
                entry.path for entry in _entries(folder) if _is_folder(entry) and self.leads_into(entry.path)
            ]

    def leads_into(self, folder: str) -> bool:
        parts = self._below(folder)
        return parts is not None and any(glob.leads_into(parts) for glob in self._globs)

    def name(self, path: str) -> str | None:
        """The path below the service's folder, if the file is one of these."""
        parts = self._below(path)
        return "/".join(parts) if parts and any(glob.matches(parts) for glob in self._globs) else None

    def _below(self, path: str) -> Sequence[str] | None:
        if path == self.folder:
            return ()
        prefix = self.folder.rstrip("/") + "/"
        return path.removeprefix(prefix).split("/") if path.startswith(prefix) else None


class FileWatch:
    """From the first `watch` until it is closed."""

    def __init__(self, changed: Callable[[str, str], None], events: EventLog) -> None:
        """`changed` gets a service and one of its files, once for each burst of changes. The event loop calls
        it."""
        self._changed = changed
        self._events = events
        self._loop = asyncio.get_running_loop()
        self._watched: list[Watched] = []
        self._stop = threading.Event()

    def watch(self, watched: Iterable[Watched]) -> None:
        """These, and no others. What changes before the thread runs isn't seen."""
        watched = [one for one in watched if one.patterns]
        if watched == self._watched:
            return
        self.close()
        self._watched, self._stop = watched, threading.Event()
        for one in watched:
            if not one.folder.is_dir():
                text = f"watches no file: its folder {one.folder} does not exist"
                self._events.warning("watch.failed", text, service=one.service)
        if watched:
            files = [_Files(one) for one in watched]
            threading.Thread(target=self._run, args=(files, self._stop), name="watch", daemon=True).start()

    def close(self) -> None:
        """The thread ends within QUIET_MS; nobody waits for it, and it reports nothing any more."""
        self._stop.set()
        self._watched = []

    # In the thread

    def _run(self, files: Sequence[_Files], stop: threading.Event) -> None:
        try:
            self._follow(files, stop)
        except Exception as error:
            self._tell(stop, self._events.warning, "watch.failed", f"files are not watched: {explain(error)}")

    def _follow(self, files: Sequence[_Files], stop: threading.Event) -> None:
        notify = _notify(files)
        self._tell(stop, self._events.detail, "watch.began", "files are watched from now on")
        burst: Changes = set()
        while notify is not None:
            found = notify.watch(AT_MOST_MS, QUIET_MS, QUIET_MS if burst else 0, stop)
            if found in ("stop", "signal"):
                break
            found = found if isinstance(found, set) else set()
            burst |= found
            if new := _new_folders(found, files):
                before, notify = notify, _notify(files)
                burst |= _end(before) | _contents(new, files)
                continue  # what is being written into them is of the same burst
            for service, name in _named(burst, files).items():
                self._tell(stop, self._changed, service, name)
            burst = set()

    def _tell(self, stop: threading.Event, call: Callable[..., None], *arguments: object) -> None:
        def tell() -> None:
            if not stop.is_set():
                call(*arguments)

        try:
            self._loop.call_soon_threadsafe(tell)
        except RuntimeError:
            pass  # the loop is closed: the instance is over


def _notify(files: Sequence[_Files]) -> RustNotify | None:
    """Watches the folders that there are now; None if there are none. A folder that goes away meanwhile is
    looked for once more. Raises OSError, or what watchfiles raises where inotify gives nothing."""
    from watchfiles._rust_notify import RustNotify

    for last in (False, False, True):
        folders = list(dict.fromkeys(folder for one in files for folder in one.folders()))
        if not folders:
            return None
        try:
            return RustNotify(folders, False, False, 300, False, False)
        except FileNotFoundError:
            if last:
                raise
    raise AssertionError("not reached")


def _end(notify: RustNotify) -> Changes:
    """Close it; what came while its successor was made."""
    late = notify.watch(1, 1, 1, None)
    notify.close()
    return late if isinstance(late, set) else set()


def _new_folders(found: Changes, files: Sequence[_Files]) -> list[str]:
    return [
        path
        for kind, path in found
        if kind == ADDED and os.path.isdir(path) and any(one.leads_into(path) for one in files)  # noqa: PTH112
    ]


def _contents(folders: Iterable[str], files: Sequence[_Files]) -> Changes:
    """The files that are there already, as far as they are watched."""
    below = [Watched("", Path(folder), ("**",)) for folder in folders]
    return {
        (ADDED, entry.path)
        for one in below
        for folder in _Files(one).folders()
        for entry in _entries(folder)
        if any(watched.name(entry.path) for watched in files)
    }


def _named(found: Changes, files: Sequence[_Files]) -> Mapping[str, str]:
    """Service → the first of its files that changed, by name."""
    named: dict[str, str] = {}
    for path in sorted(path for _, path in found):
        for one in files:
            name = one.name(path)
            if name is not None:
                named.setdefault(one.service, name)
    return named


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []  # gone, or not to be read


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Of which one may read what it holds. Links aren't followed: they may lead in a circle."""
    return entry.is_dir(follow_symlinks=False) and os.access(entry.path, os.R_OK | os.X_OK)


def explain(error: Exception) -> str:
    """What keeps files from being watched, with what to do about it: watchfiles gives no error numbers."""
    text = str(error)
    if "watch limit reached" in text:
        return f"the user's inotify watches are used up ({MORE_WATCHES})"
    if "Too many open files" in text:
        return f"the user's inotify instances are used up ({MORE_INSTANCES})"
    return f"{type(error).__name__}: {text}"
