"""A command that detaches a daemon: detaching.py SCENARIO FOLDER.

Prints the daemon's answer, or what came instead of it. The daemon writes its pid to FOLDER/daemon.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from supervisor.errors import PortsupError
from supervisor.process.detach import Answer, detached
from supervisor.process.guard import GuardLink, guarded

FOLDER = Path(sys.argv[2])


def note(name: str, text: str = "") -> None:
    (FOLDER / f"{name}.new").write_text(text)
    (FOLDER / f"{name}.new").rename(FOLDER / name)


def descriptors() -> dict[int, str]:
    """What each open descriptor leads to."""
    found = {}
    for number in range(256):
        try:
            found[number] = os.readlink(f"/proc/self/fd/{number}")  # noqa: PTH115
        except OSError:
            pass
    return found


def signals() -> dict[str, int]:
    lines = Path("/proc/self/status").read_text().splitlines()
    return {line[:6]: int(line.split()[1], 16) for line in lines if line.startswith(("SigBlk", "SigIgn"))}


def plain(answer: Answer) -> int:
    """Tell what a daemon finds, twice, and stay."""
    note("daemon", str(os.getpid()))
    open_now = descriptors()
    answer({"pid": os.getpid(), "sid": os.getsid(0), "open": open_now, "answer": answer.fd, **signals()})
    answer({"pid": 0})
    while True:
        signal.pause()


def silent(answer: Answer) -> int:
    """End without an answer."""
    return 0


def nested(supervise: Callable[[GuardLink, Answer], int]) -> Callable[[Answer], int]:
    """As `up -d` does it."""

    def body(answer: Answer) -> int:
        note("daemon", str(os.getpid()))
        guarded(lambda link: supervise(link, answer), FOLDER / "locks")

    return body


def until_stopped(link: GuardLink, answer: Answer) -> int:
    answer({"guard": os.getppid(), "supervisor": os.getpid()})
    note("command", os.read(link.commands_fd, 1).decode())
    link.report_finished()
    return 0


def dies(link: GuardLink, answer: Answer) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def slow(link: GuardLink, answer: Answer) -> int:
    """Not up yet when the stop command comes."""
    note("supervisor", str(os.getpid()))
    note("command", os.read(link.commands_fd, 1).decode())
    link.report_finished()
    return 0


def stubborn(link: GuardLink, answer: Answer) -> int:
    """Never up, and never down."""
    note("supervisor", str(os.getpid()))
    for count in (1, 2, 3):
        os.read(link.commands_fd, 1)
        note(f"command{count}")
    return 0


SCENARIOS: dict[str, Callable[[Answer], int]] = {
    "plain": plain,
    "silent": silent,
    "until_stopped": nested(until_stopped),
    "dies": nested(dies),
    "slow": nested(slow),
    "stubborn": nested(stubborn),
}


def tell(facts: dict[str, object]) -> None:
    """Print the answer; with INTERRUPTED set, Ctrl-C comes just before that."""
    if "INTERRUPTED" in os.environ:
        os.kill(os.getpid(), signal.SIGINT)
    print(json.dumps(facts))


def main() -> None:
    try:
        detached(SCENARIOS[sys.argv[1]], tell)
    except PortsupError as error:
        print(json.dumps({"error": error.message}))
    except KeyboardInterrupt:
        print(json.dumps({"error": "interrupted"}))


main()
