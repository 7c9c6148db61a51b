"""Fault 26: one Ctrl-C on a real terminal; a second one; Ctrl-C during the start.

One orderly stop; kill at once; nothing left.
"""

from __future__ import annotations

import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from harness import (
    COMMAND,
    DAEMONISE,
    Escapee,
    Home,
    Portsup,
    assert_nothing_left,
    wait_as_a_person,
    wait_until,
    write_stack,
)
from terminal import CTRL_BACKSLASH, CTRL_C, Terminal

from supervisor import records
from supervisor.platform import os_facts

TELLS_SIGNALS = [sys.executable, "-I", "-S", str(DAEMONISE.with_name("tells_signals.py"))]

Up = Callable[..., Terminal]


@pytest.fixture
def up(portsup: Portsup) -> Iterator[Up]:
    """`portsup up -i 1` in the foreground of a terminal."""
    opened: list[Terminal] = []

    def start(*options: str) -> Terminal:
        terminal = Terminal([*COMMAND, "up", "-i", "1", *options], portsup.cwd, portsup.home.environ)
        opened.append(terminal)
        return terminal

    yield start
    for terminal in opened:
        terminal.close()


@pytest.fixture
def ports(portsup: Portsup, ports_block: int) -> list[int]:
    """A service that tells its signals, and one that depends on it."""
    job = {"command": TELLS_SIGNALS, "ready": {"log": "^up$"}, "depends_on": ["web"]}
    services = {
        "web": {"command": TELLS_SIGNALS, "pool": {"offset": 0, "size": 1}, "ready": {"log": "^up$"}},
        "job": {**job, "pool": {"offset": 10, "size": 1}},
    }
    write_stack(portsup.cwd, services, base_port=ports_block)
    return [ports_block, ports_block + 10]


@pytest.mark.parametrize(
    ("key", "code", "name"), [(CTRL_C, 130, "Ctrl-C; once more kills"), (CTRL_BACKSLASH, 143, "SIGTERM")]
)
def test_one_is_one_orderly_stop(
    portsup_home: Home, up: Up, ports: list[int], key: bytes, code: int, name: str
) -> None:
    """Dependents first, one TERM to each, and nothing else of what the terminal sends."""
    terminal = up()
    wait_until(lambda: "all services are ready" in terminal.screen, 10)
    terminal.type(key)
    assert terminal.wait() == code
    shown = terminal.screen
    assert shown.count("stopping") == 1 and f"stopping ({name})" in shown
    assert re.findall(r"(web|job) +\| got (\w+)", shown) == [("job", "SIGTERM"), ("web", "SIGTERM")]
    assert "kill" not in shown.replace("once more kills", "")
    assert terminal.is_as_before()
    assert_nothing_left(portsup_home, ports)


@pytest.fixture
def stubborn(portsup: Portsup, ports_block: int, escapee: Escapee) -> int:
    """A service that ignores TERM and has a worker in a session of its own that does so too; its port."""
    service = escapee.service("--session", "--ignore-term", "--empty-env", stop={"timeout": "60s"})
    write_stack(portsup.cwd, {"web": {**service, "pool": {"offset": 0, "size": 1}}}, base_port=ports_block)
    return ports_block


@pytest.mark.parametrize("key", [CTRL_C, CTRL_BACKSLASH])
def test_a_second_one_kills_at_once(
    portsup_home: Home, up: Up, stubborn: int, escapee: Escapee, key: bytes
) -> None:
    """The first asks and waits; with the second everyone is gone, whatever they ignore."""
    terminal = up()
    wait_until(lambda: "all services are ready" in terminal.screen, 10)
    assert len(escapee.alive()) == 2
    terminal.type(CTRL_C)
    wait_until(lambda: "STOPPING" in terminal.screen, 5)
    wait_as_a_person()
    terminal.type(key)
    assert terminal.wait(10) == 130
    assert terminal.screen.count("killing what is left") == 1
    assert escapee.alive() == []
    assert_nothing_left(portsup_home, [stubborn])


def test_a_third_one_needs_no_supervisor(
    portsup: Portsup, portsup_home: Home, up: Up, stubborn: int, escapee: Escapee
) -> None:
    """One that hangs is killed by its guard, with all that is below it."""
    terminal = up()
    wait_until(lambda: "all services are ready" in terminal.screen, 10)
    supervisor = os_facts.process(portsup.instance(1)["supervisor"]["pid"])
    assert supervisor is not None
    os_facts.send_signal(supervisor.owner, signal.SIGSTOP)
    for _ in range(3):
        terminal.press(CTRL_C)
        wait_until(lambda: not is_pending(signal.SIGINT, terminal.process.pid), 10)
    assert terminal.wait(10) == 128 + signal.SIGKILL
    wait_until(lambda: not portsup_home.processes(), 5)
    assert escapee.alive() == []
    assert_nothing_left(portsup_home, [stubborn])


def is_pending(signum: int, pid: int) -> bool:
    """Whether the kernel has that signal for it still. Each Ctrl-C counts only once that isn't so."""
    status = Path(f"/proc/{pid}/status").read_text()
    (pending,) = (int(line.split()[1], 16) for line in status.splitlines() if line.startswith("ShdPnd"))
    return bool(pending & 1 << (signum - 1))


# During the start


@dataclass(frozen=True)
class Start:
    """What can be seen of it from outside."""

    home: Home
    terminal: Terminal

    def has_forked(self) -> bool:
        """The one that a daemon begins with may be gone again: then the lock folder shows it."""
        return bool(os_facts.children(self.terminal.process.pid)) or self.home.locks.exists()

    def locks(self, pattern: str) -> list[Path]:
        return list(self.home.locks.glob(pattern))

    def records(self, pattern: str) -> list[records.Record]:
        return [found for path in self.locks(pattern) if (found := records.read(path)) is not None]

    def log(self, name: str) -> str:
        return "".join(path.read_text() for path in self.home.folder.glob(f"state/portsup/*/1/logs/{name}"))

    def was_told(self, event: str) -> bool:
        return f'"event": "{event}"' in self.log("portsup.events.jsonl")


MOMENTS: dict[str, Callable[[Start], Any]] = {
    "the command was executed": lambda start: start.terminal.runs(),
    "it has forked": lambda start: start.has_forked(),
    "there is a lock folder": lambda start: start.home.locks.exists(),
    "the number is locked": lambda start: start.locks("instance-*"),
    "the number is claimed": lambda start: start.records("instance-*"),
    "a port is locked": lambda start: start.locks("port-*"),
    "a port is claimed": lambda start: start.records("port-*"),
    "there is an event log": lambda start: start.log("portsup.events.jsonl"),
    "the first service was spawned": lambda start: start.was_told("unit.spawned"),
    "the control socket stands": lambda start: [*start.home.folder.glob("run/**/*.sock")],
    "the first service prints": lambda start: start.log("web.log"),
    "the first service is ready": lambda start: start.was_told("unit.running"),
    "the second one prints": lambda start: start.log("slow.log"),
}
"""Each as soon as it can be seen, in the order of the start."""


@pytest.mark.parametrize("options", [(), ("--wait",)], ids=["foreground", "wait"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_during_the_start(
    portsup: Portsup, portsup_home: Home, ports_block: int, up: Up, moment: str, options: tuple[str, ...]
) -> None:
    """Whenever it comes, the command ends by it, soon and in silence, and nothing is left."""
    never = {"log": "never", "timeout": "60s"}
    services = {
        "web": {"command": TELLS_SIGNALS, "pool": {"offset": 0, "size": 1}, "ready": {"log": "^up$"}},
        "slow": {
            "command": TELLS_SIGNALS,
            "pool": {"offset": 10, "size": 1},
            "ready": never,
            "depends_on": ["web"],
        },
    }
    write_stack(portsup.cwd, services, base_port=ports_block)
    terminal = up(*options)
    deadline = time.monotonic() + 30
    while not MOMENTS[moment](Start(portsup_home, terminal)):  # without a pause: the next moment isn't far
        assert time.monotonic() < deadline, moment
    terminal.type(CTRL_C)
    code = terminal.wait()
    shown = terminal.screen
    if moment in ("the command was executed", "it has forked"):
        assert code in (130, -signal.SIGINT, 1)  # the latter two from Python, which reads the command line
    else:
        assert code == 130, shown
        assert "Traceback" not in shown and "internal error" not in shown and "killing" not in shown, shown
    wait_until(lambda: not portsup_home.processes(), 5, "the end of guard and supervisor")
    assert_nothing_left(portsup_home, [ports_block, ports_block + 10])
