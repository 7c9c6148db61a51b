"""A guarded supervisor of few words: guarded.py SCENARIO FOLDER.

Prints one JSON object when it is set up, then a line for each command that it gets.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from pathlib import Path

from supervisor.platform import os_facts
from supervisor.process.child import Child
from supervisor.process.guard import GuardLink, guarded
from supervisor.process.spawn import ChildSpec, spawn
from supervisor.records import PortRecord, port_file

FOLDER = Path(sys.argv[2])
INSTANCE_ID = f"x-1-{FOLDER.name}"
"""Nobody else's on the machine: a guard looks for survivors everywhere."""
SERVICE = Path(__file__).parent / "daemonise.py"
SERVICES = 5


def say(**facts: object) -> None:
    print(json.dumps(facts), flush=True)


def run(argv: tuple[str, ...], unit: str, *inherit: int) -> Child:
    spec = ChildSpec(unit=unit, argv=argv, shell=False, cwd=FOLDER, env=dict(os.environ), inherit=inherit)
    return spawn(spec)


def claim() -> int:
    """A port's lock with a record of this supervisor; nobody uses the port."""
    from supervisor.ports.lock import HeldLock, LockFolder, take

    lock = take(port_file(LockFolder.open(FOLDER / "locks").path, 6000))
    me = os_facts.owner(os.getpid())
    assert isinstance(lock, HeldLock)
    assert me is not None
    record = PortRecord(
        stack="x",
        config=str(FOLDER / "services.toml"),
        instance=1,
        instance_id=INSTANCE_ID,
        supervisor=me,
        uid=os.getuid(),
        boot_id=os_facts.boot_id(),
        pidns=os_facts.pid_namespace(),
        netns=os_facts.net_namespace(),
        acquired_at=0.0,
        port=6000,
        pool="port",
        service="0",
        child=None,
    )
    lock.write(record)
    return lock.fd


def echo(link: GuardLink) -> int:
    """Tell every command, ignore all."""
    say(supervisor=os.getpid(), guard=os.getppid())
    while command := os.read(link.commands_fd, 1):
        say(command=command.decode())
    (FOLDER / "eof").touch()
    return 0


def orderly(link: GuardLink) -> int:
    """End with code 7 at the first command."""
    say(supervisor=os.getpid())
    os.read(link.commands_fd, 1)
    link.report_finished()
    return 7


def services(link: GuardLink) -> int:
    """Five services with daemonised workers that ignore TERM, a lock that they inherit, a control socket."""
    lock = claim()
    for number in range(SERVICES):
        folder = FOLDER / str(number)
        folder.mkdir()
        flags = ("--session", "--ignore-term", "--empty-env", "--close")
        run((sys.executable, "-I", "-S", str(SERVICE), str(folder), *flags), f"{INSTANCE_ID}/{number}", lock)
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(FOLDER / "control"))
    link.report_socket(FOLDER / "control")
    say(supervisor=os.getpid())
    while True:
        signal.pause()


def replaced(link: GuardLink) -> int:
    """Another supervisor has put its own socket where ours was; then this one is killed."""
    keep = []
    for _ in range(2):
        (FOLDER / "control").unlink(missing_ok=True)
        keep.append(server := socket.socket(socket.AF_UNIX))
        server.bind(str(FOLDER / "new"))
        (FOLDER / "new").rename(FOLDER / "control")
        if len(keep) == 1:
            link.report_socket(FOLDER / "control")
            os.link(FOLDER / "control", FOLDER / "old")  # keeps the inode's number from being given again
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def moves(link: GuardLink) -> int:
    """The control socket is made anew, more often than a pipe could hold that; then a service is spared."""
    for _ in range(3000):
        (FOLDER / "control").unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(FOLDER / "control"))
        link.report_socket(FOLDER / "control")
    say(supervisor=os.getpid())
    os.read(link.commands_fd, 1)
    return spares(link)


def spares(link: GuardLink) -> int:
    """Leave a service behind on purpose."""
    child = run(("sleep", "600"), f"{INSTANCE_ID}/spared")
    say(pid=child.owner.pid)
    link.report_finished()
    return 0


def gives_up(link: GuardLink) -> int:
    """Return by code, without a word to the guard, while a service lives."""
    child = run(("sleep", "600"), f"{INSTANCE_ID}/left")
    say(pid=child.owner.pid)
    return 3


def raises(link: GuardLink) -> int:
    """Break the promise not to."""
    raise ValueError("broken")


def masks(link: GuardLink) -> int:
    """Tell how a child finds its signals."""
    child = run(("grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"), f"{INSTANCE_ID}/masks")
    os.waitpid(child.owner.pid, 0)
    masks = [int(line.split()[1], 16) for line in os.read(child.output_fd, 4096).decode().splitlines()]
    say(blocked=masks[0], ignored=masks[1])
    link.report_finished()
    return 0


if __name__ == "__main__":
    guarded(globals()[sys.argv[1]], FOLDER / "locks")
