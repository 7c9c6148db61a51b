"""What there is to say of a service that failed: what it printed last, how it ended, and what to try next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from supervisor import paths
from supervisor.cli import target
from supervisor.errors import ExitCode, PortsupError
from supervisor.records import InstanceRecord
from supervisor.snapshot import ServiceSnapshot

LAST_LINES = 20
"""Of what a service that failed has printed last."""

LONGEST = 400
"""Characters of a line that are shown: some print a whole page of JSON as one."""

REACH = 1 << 18
"""Bytes at the end of a log in which they are looked for: the event loop waits meanwhile."""


def not_every_service(is_what: str, lines: Sequence[str], hint: str | None = None) -> PortsupError:
    return PortsupError(
        f"not every service {is_what}", details=lines, hint=hint, exit_code=ExitCode.SERVICE_FAILED
    )


def why_not_ready(
    record: InstanceRecord, service: ServiceSnapshot, timeout: float | None, *, stays: bool
) -> list[str]:
    """`timeout`: of --timeout, in seconds; `stays`: whether the instance is there afterwards."""
    reason = service.reason or (f"not ready after {timeout:g} s (--timeout)" if timeout else "not ready")
    line = f"{target.title(record)}: {service.name} is {service.state}: {reason}"
    if service.state == "PENDING":  # it is another one that failed
        return [line]
    return [line, *(f"  {service.name} | {text}" for text in post_mortem(record, service, stays=stays))]


def post_mortem(record: InstanceRecord, service: ServiceSnapshot, *, stays: bool) -> list[str]:
    """The end of its log, its exit in words if they are news, and the next command."""
    return [*_printed(record, service), *_ended(service), _next_command(record, service.name, stays=stays)]


def _printed(record: InstanceRecord, service: ServiceSnapshot) -> list[str]:
    lines = _last_lines(paths.service_log(Path(record.logs), service.name), record.acquired_at)
    if not lines:
        return ["it printed nothing"]
    title = (
        "the last line that it printed:"
        if len(lines) == 1
        else f"the last {len(lines)} lines that it printed:"
    )
    return [title, *(f"  {line}" for line in lines)]


def _last_lines(log: Path, since: float) -> list[str]:
    """Not of what an earlier instance's service printed: before `since`, in seconds since 1970."""
    from supervisor.tail import Reach, Tail

    with closing(Tail(log, lines=LAST_LINES, reach=Reach(REACH, int(since * 1000)))) as tail:
        text = b"".join(piece.data for piece in tail.printed()).decode(errors="replace")
    lines = text.splitlines()[-LAST_LINES:]  # a terminal shows as many of one with carriage returns in it
    return [line if len(line) <= LONGEST else f"{line[:LONGEST]}…" for line in lines]


def _ended(service: ServiceSnapshot) -> Iterator[str]:
    """Unless its reason, which stands above, says all of it."""
    from supervisor.process.child import Exit

    if service.exit is not None and service.pid is None:
        how = Exit.from_words(service.exit).explained()
        if how not in (service.reason or ""):
            yield f"it ended with {how}"


def _next_command(record: InstanceRecord, service: str, *, stays: bool) -> str:
    number = f" -i {record.instance}" if _needs_number(record) else ""
    more = f"`portsup logs {service} -n 100{number}` shows more"
    return f"{more}, `portsup restart {service}{number}` tries again" if stays else more


def _needs_number(record: InstanceRecord) -> bool:
    """Whether the worktree has other instances, so that a command must be told which."""
    return len(target.of_worktree(Path(record.config))) > 1
