"""Why an instance isn't ready: each service that isn't, and what it has printed last."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from supervisor import paths
from supervisor.cli import target
from supervisor.errors import ExitCode, PortsupError
from supervisor.records import InstanceRecord
from supervisor.snapshot import ServiceSnapshot

LAST_LINES = 5
"""Of what a service that failed has printed last."""


def not_every_service(is_what: str, lines: Sequence[str], hint: str | None = None) -> PortsupError:
    return PortsupError(
        f"not every service {is_what}", details=lines, hint=hint, exit_code=ExitCode.SERVICE_FAILED
    )


def why_not_ready(record: InstanceRecord, service: ServiceSnapshot, timeout: float | None) -> list[str]:
    """`timeout`: of --timeout, in seconds."""
    reason = service.reason or (f"not ready after {timeout:g} s (--timeout)" if timeout else "not ready")
    line = f"{target.title(record)}: {service.name} is {service.state}: {reason}"
    return [line, *(f"  {service.name} | {text}" for text in _last_lines(record, service.name))]


def _last_lines(record: InstanceRecord, service: str) -> list[str]:
    from supervisor.cli.tail import Tail

    tail = Tail(paths.service_log(Path(record.logs), service), lines=LAST_LINES)
    try:
        return b"".join(piece.data for piece in tail.printed()).decode(errors="replace").splitlines()
    finally:
        tail.close()
