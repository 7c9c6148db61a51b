"""Asking every service's health at once, within a bounded time, and summing it up."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from supervisor.loopback.host_check import LOCAL_ORIGIN
from supervisor.monitor.instances import whose
from supervisor.snapshot import InstanceSnapshot, ServiceSnapshot

PATH = "/api/health"
"""A service's own ready path isn't known outside its supervisor; this one asks nobody else in turn."""

AT_ONCE = 500
"""Services that are asked at a time: each costs a descriptor, and a process may have 1024 in all."""

BODY_MAX = 16_384
"""Bytes; of a longer answer only the status counts."""

DEPTH_MAX = 50
"""Arrays and objects within each other; a deeper body isn't passed on."""

FINE = frozenset({"ok", "unknown", "running", "stopped", "exited"})
"""What doesn't worsen the whole: also a worker that runs, and what was stopped or ended well."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` is "ok" (2xx), "unknown" (404, or not HTTP: it answers, and has no such page), "failing",
    "unreachable", or of a service that isn't asked its state in lower case."""

    status: str
    http: int | None
    latency_ms: float | None
    body: Any
    reason: str | None


def make_client() -> httpx.AsyncClient:
    """For loopback only, so without proxies. Each connection is closed by this end after its answer:
    the side that closes first keeps the TIME_WAIT, and a service may need its port again."""
    return httpx.AsyncClient(
        verify=False,
        trust_env=False,
        follow_redirects=False,
        timeout=None,
        headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
    )


async def ask_everyone(
    client: httpx.AsyncClient, instances: Sequence[InstanceSnapshot], deadline: float
) -> list[dict[str, Any]]:
    """One entry for each service of `instances`; nothing takes longer than until `deadline` (monotonic)."""
    services = [(instance, service) for instance in instances for service in instance.services]
    free = asyncio.Semaphore(AT_ONCE)
    answers = await asyncio.gather(*(_examine(client, service, free, deadline) for _, service in services))
    return [
        {
            **whose(instance),
            "name": service.name,
            "state": service.state,
            "url": service.url,
            **asdict(answer),
        }
        for (instance, service), answer in zip(services, answers, strict=True)
    ]


def overall(instances: Iterable[InstanceSnapshot], statuses: Iterable[str]) -> str:
    """ "ok" if nothing is wrong and something runs, "down" if nothing runs, else "degraded"."""
    statuses = list(statuses)
    if not any(status in ("ok", "unknown", "running") for status in statuses):
        return "down"
    reached = all(instance.state not in ("dead", "unreachable", "suspended") for instance in instances)
    return "ok" if reached and FINE.issuperset(statuses) else "degraded"


async def _examine(
    client: httpx.AsyncClient, service: ServiceSnapshot, free: asyncio.Semaphore, deadline: float
) -> Answer:
    if service.state == "RUNNING" and service.url is not None:
        return await _ask(client, service.url, free, deadline)
    return Answer(_status_of_state(service), None, None, None, service.reason)


def _status_of_state(service: ServiceSnapshot) -> str:
    if service.state == "EXITED" and service.exit not in (None, "code 0"):
        return "failing"
    return service.state.lower()


async def _ask(client: httpx.AsyncClient, url: str, free: asyncio.Semaphore, deadline: float) -> Answer:
    if not is_local(url):
        return Answer("unreachable", None, None, None, "its URL is none of this machine's")
    try:
        async with asyncio.timeout(max(0.0, deadline - time.monotonic())), free:
            asked_at = time.monotonic()
            code, raw = await _fetch(client, url + PATH)
    except TimeoutError:
        return Answer("unreachable", None, None, None, "no answer in time")
    except httpx.RemoteProtocolError:
        return Answer("unknown", None, None, None, "it answers, but not in HTTP")
    except (httpx.HTTPError, httpx.InvalidURL) as failure:
        return Answer("unreachable", None, None, None, str(failure) or type(failure).__name__)
    latency = round((time.monotonic() - asked_at) * 1000, 1)
    return Answer(_status_of_code(code), code, latency, _json(raw), None)


def is_local(url: str) -> bool:
    """Whether it is one as supervisors make them: whoever answers in the place of one may name any address,
    and isn't to have us ask there."""
    try:
        urlsplit(url).port  # noqa: B018 - raises ValueError for one that there isn't
    except ValueError:
        return False
    return LOCAL_ORIGIN.fullmatch(url) is not None


async def _fetch(client: httpx.AsyncClient, url: str) -> tuple[int, bytes]:
    """Status and body, no more of it than tells that it is too long."""
    raw = bytearray()
    async with client.stream("GET", url) as response:
        async for chunk in response.aiter_raw():
            raw += chunk
            if len(raw) > BODY_MAX:
                break
    return response.status_code, bytes(raw)


def _status_of_code(code: int) -> str:
    if 200 <= code < 300:
        return "ok"
    return "unknown" if code == 404 else "failing"


def _json(raw: bytes) -> Any:
    """The body, or None if it isn't JSON, too long or too deep."""
    if len(raw) > BODY_MAX:
        return None
    try:
        body = json.loads(raw, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError):
        return None
    return None if _is_deeper(body, DEPTH_MAX) else body


def _finite(text: str) -> float:
    """NaN and Infinity are no JSON, and 1e999 is nothing that we could pass on."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is out of range")
    return number


def _is_deeper(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    inside = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(one, levels - 1) for one in inside)
