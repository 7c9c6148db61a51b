"""Claims like a supervisor: `claimer.py FOLDER INSTANCE POOLS`, POOLS a JSON object service → ports.

Reads commands from stdin, a line each, and answers each with a line of JSON: "claim" and "release";
"spawn keep" and "spawn close" start a child that inherits the locks, or closes them, and answer with
its pid; "timed claim" and "timed release" add when they began and ended. Ends with stdin, or killed:
then its locks are as a dead supervisor leaves them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from claims import instance_record, plan  # noqa: E402

from supervisor.clock import MonotonicClock  # noqa: E402
from supervisor.errors import PortsupError  # noqa: E402
from supervisor.platform import os_facts  # noqa: E402
from supervisor.ports.lock import LockFolder  # noqa: E402
from supervisor.ports.reserve import Reservation, claim_instance, reserve  # noqa: E402

CHILD = "import os, sys, time; print(os.getpid(), flush=True); time.sleep(120)"


class Claiming:
    def __init__(self, folder: str, instance: str, pools: str) -> None:
        number = int(instance)
        self.folder = LockFolder.open(Path(folder))
        self.plan = plan(json.loads(pools), number)
        self.record = instance_record(instance=number, base_port=6000 + 100 * (number - 1))
        self.held: list[Reservation] = []

    def claim(self) -> Any:
        try:
            self.held = reserve(self.plan, self.record, self.folder, MonotonicClock())
        except PortsupError as error:
            return error.to_json()
        return [reservation.port for reservation in self.held]

    def timed(self, command: str) -> Any:
        """Wall clock, as in the records; "since" is when each port that was won was locked."""
        began = time.time()
        answer = getattr(self, command)()
        since = {held.port: held.record.acquired_at for held in self.held}
        return {"answer": answer, "began": began, "ended": time.time(), "since": since}

    def instance(self) -> Any:
        try:
            return claim_instance(self.folder, self.record).record.instance
        except PortsupError as error:
            return error.to_json()

    def release(self) -> Any:
        for reservation in self.held:
            reservation.lock.give_back()
        return "released"

    def spawn(self, how: str) -> Any:
        """A child like a unit's: a session of its own, the marker, the locks ("close" closes them,
        "bare" keeps them but has neither session nor marker)."""
        marked = {"PORTSUP_UNIT": f"{self.record.instance_id}/api"} if how != "bare" else {}
        kept = [reservation.lock.fd for reservation in self.held] if how != "close" else []
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", CHILD],
            stdout=subprocess.PIPE,
            env={**os.environ, **marked},
            pass_fds=kept,
            start_new_session=how != "bare",
        )
        assert child.stdout is not None
        child.stdout.readline()
        owner = os_facts.owner(child.pid)
        if how != "bare" and owner:
            for reservation in self.held:
                reservation.name_child(owner)
        return child.pid


def main() -> None:
    claiming = Claiming(*sys.argv[1:])
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        command, *arguments = line.split()
        print(json.dumps(getattr(claiming, command)(*arguments)), flush=True)


main()
