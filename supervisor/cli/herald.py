"""What `portsup run` says beside its command: little, and all of it on stderr."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from supervisor.cli import target
from supervisor.cli.failure import not_every_service, why_not_ready
from supervisor.cli.main import fail
from supervisor.cli.order import Errand
from supervisor.errors import PortsupError
from supervisor.process.child import Exit
from supervisor.process.forked import last_words
from supervisor.records import InstanceRecord
from supervisor.snapshot import ServiceSnapshot

STARTED = b"started\n"
"""Reported when the command starts, after a line with the instance's number."""


class Herald:
    """While the command runs, whatever happens to a service is said; else, unless it is to be verbose,
    only what is wrong."""

    def __init__(
        self, errand: Errand, record: InstanceRecord, show: Callable[[str, str, str | None, str], None]
    ) -> None:
        """`show` brings level, event, service and a line to stderr."""
        self._errand = errand
        self._record = record
        self._show = show
        self._runs = False
        self._report(b"%d\n" % record.instance)

    def say(self, level: str, event: str, service: str | None, message: str) -> None:
        if self._errand.verbose or self._runs or level != "info":
            self._show(level, event, service, message)

    def not_ready(self, services: Sequence[ServiceSnapshot]) -> None:
        lines: list[str] = []
        for service in services:
            lines += why_not_ready(self._record, service, self._errand.timeout, stays=False)
        fail(not_every_service("is ready", lines), last_words)

    @property
    def tells_failures(self) -> bool:
        """While the command runs: before that, `not_ready` tells all."""
        return self._runs

    def starting(self) -> None:
        self._runs = True
        self.say(
            "info",
            "run.started",
            None,
            f"{target.title(self._record)} is up, base port {self._record.base_port}",
        )
        self._report(STARTED)

    def not_started(self, error: PortsupError) -> None:
        fail(error, last_words)

    def ended(self, result: Exit) -> None:
        if not result.ok:
            logs = f"`portsup logs -i {self._record.instance}` shows what the services printed"
            program = os.path.basename(self._errand.command[0])  # noqa: PTH119 - no path is asked for
            self.say("info", "run.ended", None, f"{program} ended with {result}; {logs}")
        self._runs = False

    def _report(self, line: bytes) -> None:
        if self._errand.report_fd >= 0:
            try:
                os.write(self._errand.report_fd, line)
            except OSError:
                pass  # nobody is left to be told; the guard's end will end us as well
