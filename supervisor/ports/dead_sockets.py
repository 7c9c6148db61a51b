"""The Unix sockets that a dead supervisor left: its control socket, and its services' beside it."""

from __future__ import annotations

import glob
import os
import socket
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from supervisor import records
from supervisor.ports.leftovers import DeadFile, Kind, Leftover
from supervisor.ports.liveness import Liveness, liveness
from supervisor.records import InstanceRecord


def live_sockets(folder: Path) -> frozenset[str]:
    """The control sockets of supervisors that live, or that can't be seen: one that has just bound its
    socket doesn't listen yet."""
    known = records.instance_records(folder)
    return frozenset(
        record.socket for record in known if liveness(record) in (Liveness.ALIVE, Liveness.ELSEWHERE)
    )


def sockets_of(file: DeadFile, live: Collection[str]) -> Iterator[Leftover]:
    """Those of a dead file's instance where nobody is any more; `live` are others' that stay.

    Only out of a file of this user's own: anybody may write any path into theirs.
    """
    if not isinstance(file.record, InstanceRecord) or file.uid != os.geteuid():
        return
    control = Path(file.record.socket)
    if str(control) not in live and _is_dead(control):
        yield _leftover(file, None, control)
    prefix = f"{control.stem}-"
    for path in _beside(control, prefix):
        if str(path) not in live and _is_dead(path):
            yield _leftover(file, path.stem.removeprefix(prefix), path)


def _leftover(file: DeadFile, service: str | None, path: Path) -> Leftover:
    why = "nobody listens there"
    return Leftover(Kind.SOCKET, file.instance_id, file.instance, service, why, file.uid, path=path)


def _beside(control: Path, prefix: str) -> list[Path]:
    """A service's own socket lies beside its instance's and begins with its name, which is that of the
    instance's id (`paths.service_socket`)."""
    if not control.is_absolute() or "\0" in str(control):
        return []
    return sorted(control.parent.glob(f"{glob.escape(prefix)}*.sock"))


def _is_dead(path: Path) -> bool:
    try:
        found = os.lstat(path)
    except (OSError, ValueError):
        return False
    return stat.S_ISSOCK(found.st_mode) and found.st_uid == os.geteuid() and _refuses(path)


def _refuses(path: Path) -> bool:
    """Whether no process has the socket. One for datagrams says then that it is of the wrong type."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.setblocking(False)  # where the backlog is full, somebody is there
        try:
            asking.connect(str(path))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False
