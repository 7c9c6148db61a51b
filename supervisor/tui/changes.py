"""Start, stop and restart of one service. The instance carries it through, whether or not somebody waits."""

from __future__ import annotations

import time
from asyncio import to_thread

from supervisor.control.client import REACHED, Client, read_services
from supervisor.readable import readable
from supervisor.records import InstanceRecord
from supervisor.snapshot import ServiceSnapshot

ANSWER_SECONDS = 5.0
"""For the rest of an answer that has begun."""


async def change(record: InstanceRecord, verb: str, service: str) -> ServiceSnapshot | None:
    """The service afterwards, None if the instance tells nothing of it. Raises PortsupError.

    Takes as long as the service's own timeouts; no thread is kept meanwhile.
    """
    with await to_thread(Client, record) as connection:
        id_ = await to_thread(connection.ask, verb, {"services": [service]})
        await readable(connection.fileno())
        answer = await to_thread(connection.answer, id_, time.monotonic() + ANSWER_SECONDS)
    return next(iter(read_services(record, answer)), None)


def reached(verb: str, after: ServiceSnapshot) -> bool:
    """Whether it is where the change was to bring it."""
    return REACHED[verb](after)
