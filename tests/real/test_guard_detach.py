"""Daemons: what they leave behind of their caller, and what the caller gets."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import ROOT
from process_help import CHILDREN, alive, pid_in, settable, until

from supervisor.platform import os_facts
from supervisor.platform.contract import Owner

PYTHON_IGNORES = 1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1)

Run = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """children/detaching.py, with its daemon ended afterwards."""
    with contextlib.ExitStack() as stack:

        def started(scenario: str, *, before: tuple[str, ...] = (), **options: Any) -> subprocess.Popen[str]:
            command = (*before, sys.executable, str(CHILDREN / "detaching.py"), scenario, str(tmp_path))
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            environment |= options.pop("variables", {})
            options = {"stderr": subprocess.PIPE} | options
            process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, **options)
            stack.enter_context(process)
            stack.callback(end_daemon, tmp_path)
            stack.callback(process.kill)
            return process

        yield started


def end_daemon(folder: Path) -> None:
    """And the supervisor below it, which the guard's end alone doesn't end."""
    file = folder / "daemon"
    owner = os_facts.owner(int(file.read_text())) if file.exists() else None
    if owner is None:
        return
    below = [os_facts.owner(pid) for pid in os_facts.children(owner.pid)]
    for found in (owner, *below):
        if found is not None:
            os_facts.send_signal(found, signal.SIGKILL)
    until(lambda: not os_facts.is_alive(owner))


def answer_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Read to the end: nobody may keep the caller's stdout open."""
    out, err = process.communicate(timeout=20)
    assert (process.returncode, err or "") == (0, "")
    facts: dict[str, Any] = json.loads(out)
    return facts


def test_a_daemon_has_nothing_of_its_caller(run: Run, tmp_path: Path) -> None:
    """No descriptor but the answer's pipe, a session that is not its own to lead, stdio on /dev/null."""
    with open(tmp_path / "inherited", "w") as file:
        os.set_inheritable(file.fileno(), True)
        facts = answer_of(run("plain", pass_fds=(file.fileno(),)))
    found = facts["open"]
    assert alive(facts["pid"])
    assert facts["sid"] not in (facts["pid"], os.getsid(0))
    assert found.pop(str(facts["answer"])).startswith("pipe:")
    assert found == dict.fromkeys("012", "/dev/null")


CLOSED_STDIO = "import os, sys; os.close(0); os.close(2); os.execv(sys.argv[1], sys.argv[1:])"


def test_a_caller_without_stdio_detaches_too(run: Run) -> None:
    """Its pipe gets a number that belongs to standard input; the daemon moves it away."""
    facts = answer_of(run("plain", before=(sys.executable, "-c", CLOSED_STDIO)))
    assert {facts["open"][number] for number in "012"} == {"/dev/null"}
    assert facts["answer"] > 2


SPOILT_SIGNALS = """
import os, signal, sys
for signum in (signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1):
    signal.signal(signum, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGHUP})
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.parametrize(
    ("before", "ignored"),
    [
        ((sys.executable, "-c", SPOILT_SIGNALS), PYTHON_IGNORES),
        (("nohup",), PYTHON_IGNORES | 1 << (signal.SIGHUP - 1)),
    ],
    ids=["spoilt", "nohup"],
)
def test_a_daemon_starts_with_clean_signals(run: Run, before: tuple[str, ...], ignored: int) -> None:
    """What a shell ignores for its background jobs isn't handed down; nohup is."""
    facts = answer_of(run("plain", before=before, stdin=subprocess.DEVNULL))
    assert (facts["SigBlk"], settable(facts["SigIgn"])) == (0, ignored)


def test_the_caller_gets_the_first_answer_while_the_daemon_lives_on(run: Run) -> None:
    """Guard and supervisor go on; TERM to the guard is a stop command."""
    facts = answer_of(run("until_stopped"))
    guard, supervisor = os_facts.owner(facts["guard"]), os_facts.owner(facts["supervisor"])
    assert guard is not None
    assert supervisor is not None
    assert os_facts.send_signal(guard, signal.SIGTERM)
    until(lambda: not os_facts.is_alive(supervisor) and not os_facts.is_alive(guard))


@pytest.mark.parametrize("scenario", ["silent", "dies"])
def test_a_daemon_that_dies_before_its_answer(run: Run, scenario: str) -> None:
    """The caller doesn't hang: neither guard nor anybody else keeps the pipe open."""
    assert answer_of(run(scenario)) == {"error": "the supervisor ended before it was up"}


def test_ctrl_c_while_waiting_stops_the_daemon(run: Run, tmp_path: Path) -> None:
    """The daemon doesn't get the terminal's signal, so the caller passes it on and waits."""
    caller = run("slow")
    owners = daemon_of(tmp_path)
    caller.send_signal(signal.SIGINT)
    assert answer_of(caller) == {"error": "interrupted"}
    assert (tmp_path / "command").read_text() == "T"
    assert [owner for owner in owners if os_facts.is_alive(owner)] == []


def test_further_ctrl_c_are_further_stop_commands(run: Run, tmp_path: Path) -> None:
    """The third ends a supervisor that reacts to none."""
    caller = run("stubborn")
    owners = daemon_of(tmp_path)
    for count in (1, 2):
        caller.send_signal(signal.SIGINT)
        until((tmp_path / f"command{count}").exists)
    caller.send_signal(signal.SIGINT)
    assert answer_of(caller) == {"error": "interrupted"}
    assert [owner for owner in owners if os_facts.is_alive(owner)] == []


def daemon_of(folder: Path) -> list[Owner]:
    """Guard and supervisor, once both are there."""
    found = [os_facts.owner(pid_in(folder / name)) for name in ("daemon", "supervisor")]
    owners = [owner for owner in found if owner is not None]
    assert len(owners) == 2
    return owners


def test_ctrl_c_waits_until_the_answer_is_taken(run: Run) -> None:
    """Else the caller would end without knowing that it has a daemon to take down."""
    caller = run("until_stopped", variables={"INTERRUPTED": "1"})
    out, _ = caller.communicate(timeout=20)
    answer, interrupted = map(json.loads, out.splitlines())
    assert alive(answer["supervisor"])
    assert interrupted == {"error": "interrupted"}
