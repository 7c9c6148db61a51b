"""`portsup up -d` and `--wait`: instances as daemons, all or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from supervisor import paths
from supervisor.cli import garbage, target
from supervisor.cli.failure import not_every_service, why_not_ready
from supervisor.cli.order import Order
from supervisor.cli.output import note
from supervisor.errors import PortsupError
from supervisor.process.detach import Answer, detached
from supervisor.process.guard import GuardLink, guarded
from supervisor.records import InstanceRecord, decode, encode


def bring_up_in_background(orders: Sequence[Order], *, wait: bool, timeout: float | None) -> None:
    """Raises the PortsupError of an instance that doesn't come up, and takes down those before it; or
    one that names the services that failed, and leaves the instances up to be looked at."""
    records: list[InstanceRecord] = []
    failed: list[str] = []
    try:
        for order in orders:
            failed += _start(order._replace(console=False), records)
        if wait:
            failed = [line for record in records for line in _wait(record, timeout)]
    except (KeyboardInterrupt, PortsupError) as failure:
        if isinstance(failure, KeyboardInterrupt) or len(records) < len(orders):
            _take_down(records)
        raise
    if failed:
        is_what = "is ready" if wait else "could be started"
        raise not_every_service(is_what, failed, hint="what is up stays up until `portsup down`")
    if wait:
        note("portsup: every service is ready")


def _start(order: Order, records: list[InstanceRecord]) -> list[str]:
    """Add the instance's record; a line for each service that couldn't be started."""
    answer: dict[str, object] = {}

    def take(facts: dict[str, object]) -> None:
        if "error" in facts:
            raise PortsupError.from_json(_mapping(facts["error"]))
        record = decode(str(facts["record"]).encode())
        assert isinstance(record, InstanceRecord)
        records.append(record)
        answer.update(facts)

    detached(lambda answer: _guarded(order, answer), take)
    title = target.title(records[-1])
    for line in _lines(answer["notices"]):
        note(f"portsup: {line}")
    note(f"portsup: {title} is up, base port {records[-1].base_port}")
    return [f"{title}: {line}" for line in _lines(answer["failed"])]


def _mapping(value: object) -> Mapping[str, Any]:
    assert isinstance(value, dict)
    return value


def _lines(value: object) -> list[str]:
    assert isinstance(value, list)
    return [str(line) for line in value]


def _guarded(order: Order, answer: Answer) -> int:
    """In the daemon."""
    return _or_error(
        lambda: guarded(
            lambda link: _or_error(lambda: _supervise(order, link, answer), answer), paths.lock_folder()
        ),
        answer,
    )


def _or_error(body: Callable[[], int], answer: Answer) -> int:
    """The daemon has no stderr: what goes wrong is the answer."""
    try:
        return body()
    except Exception as failure:
        from supervisor.cli.main import as_portsup_error

        error = as_portsup_error(failure)
        answer({"error": error.to_json()})
        return error.exit_code


def _supervise(order: Order, link: GuardLink, answer: Answer) -> int:
    garbage.pause()
    from supervisor.cli.bringup import Standing, bring_up

    garbage.search_from_now_on()

    def announce(standing: Standing) -> None:
        answer(
            {
                "record": encode(standing.record).decode(),
                "failed": standing.failed,
                "notices": standing.notices,
            }
        )

    return bring_up(order, link, announce)


def _wait(record: InstanceRecord, timeout: float | None) -> list[str]:
    """Lines about each service that isn't ready in the end."""
    from supervisor.control.client import reach, read_snapshot

    with reach(record) as client:
        unready = client.wait(timeout)["failed"]
        services = read_snapshot(record, client.call("snapshot")).services
    lines: list[str] = []
    for service in services:
        if service.name in unready:
            lines += why_not_ready(record, service, timeout, stays=True)
    return lines


def _take_down(records: Sequence[InstanceRecord]) -> None:
    from supervisor.cli.down import stop_all

    stop_all(records, timeout=60.0)
