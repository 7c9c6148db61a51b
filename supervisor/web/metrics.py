"""`GET /metrics`: what runs on this machine, for Prometheus, found out anew at each scrape."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from anyio import to_thread
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from supervisor import __version__
from supervisor.monitor import instances, pools
from supervisor.monitor.usage import ServiceKey, Usage, UsageMeter
from supervisor.snapshot import INSTANCE_STATES, SERVICE_STATES, InstanceSnapshot, ServiceSnapshot
from supervisor.web import metric_families as families
from supervisor.web.metric_families import FAMILIES, Family

SHOWN_STATES = tuple(state for state in INSTANCE_STATES if state != "dead")
"""Of an instance: one that is dead isn't asked."""

QUANTILES = {"0.5": "median_ms", "0.95": "p95_ms", "1": "max_ms"}
"""As a supervisor calls them."""

FIGURES = ("count", *QUANTILES.values())

Labels = tuple[object, ...]


class Metrics:
    def __init__(self, folder: Path) -> None:
        """`folder` is the lock folder."""
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Machine(folder))

    async def answer(self, request: Request) -> Response:
        """In the format that the scraper likes best of those that there are."""
        body, content_type = await to_thread.run_sync(self._expose, request.headers.get("accept", ""))
        return Response(body, headers={"Content-Type": content_type})

    def _expose(self, accept: str) -> tuple[bytes, str]:
        try:
            encode, content_type = choose_encoder(accept)
        except (TypeError, ValueError):  # it asks for a version that is no number
            encode, content_type = choose_encoder("")
        return encode(self._registry), content_type


class _Machine(Collector):
    """Every instance that this user may ask. Several threads may collect at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._meter = UsageMeter()
        self._measuring = threading.Lock()

    def collect(self) -> Iterable[Metric]:
        began = time.perf_counter()
        page = _Page()
        page.add(families.BUILD, (__version__,), 1)
        self._fill(page, instances.snapshots(self._folder))
        page.add(families.SCRAPE, (), time.perf_counter() - began)
        return page.metrics

    def _fill(self, page: _Page, seen: Sequence[InstanceSnapshot]) -> None:
        known = {one.instance_id: _labels(one) for one in seen}
        with self._measuring:
            used = self._meter.measure(seen)
        for one in seen:
            _add_instance(page, one)
            for service in one.services:
                _add_service(page, (*_labels(one), service.name), service)
        for key, usage in used.items():
            _add_usage(page, _of_service(known, key), usage)
        for strip in pools.strips(self._folder, seen):
            _add_pool(page, (*known[strip.instance_id], strip.service, strip.pool), strip)
        for timed in instances.timings(self._folder):
            if timed["instance_id"] in known:  # else it has come since
                _add_timings(page, known[timed["instance_id"]], timed["services"])


class _Page:
    """All families, with the samples that they got so far.

    Each sample is there once, whatever comes: to root another user's instance may call itself as ours does,
    and a page that has a sample twice is refused as a whole.
    """

    def __init__(self) -> None:
        self._by_family = {family: Metric(_stem(family), family.help, family.kind) for family in FAMILIES}
        self._names: set[tuple[str, ...]] = set()

    def add(self, family: Family, labels: Labels, value: float, suffix: str = "", **more: str) -> None:
        """`labels` in the order of the family's; `suffix` of the sample's name."""
        name = family.name + suffix
        texts = {**dict(zip(family.labels, map(_text, labels), strict=True)), **more}
        if (whole := (name, *texts.values())) not in self._names and _can_be(value):
            self._names.add(whole)
            self._by_family[family].add_sample(name, texts, value)

    def add_states(self, family: Family, labels: Labels, states: Iterable[str], state: str) -> None:
        """One sample for each of `states`, so that none has to be missed to be 0."""
        for one in states:
            self.add(family, (*labels, one), one == state)

    @property
    def metrics(self) -> list[Metric]:
        return list(self._by_family.values())


def _stem(family: Family) -> str:
    """OpenMetrics names a family without what its kind adds to its samples."""
    return family.name.removesuffix("_total").removesuffix("_info")


def _text(value: object) -> str:
    """JSON can name code points that no encoding has."""
    return str(value).encode("utf-8", "replace").decode("utf-8")


def _can_be(value: float) -> bool:
    """Whether there is such a figure. Neither 1e999 nor a whole number beyond all floats is one, and none of
    ours is below 0: the format takes no counter that is."""
    try:
        return 0 <= float(value) < math.inf
    except OverflowError:
        return False


def _labels(one: InstanceSnapshot) -> Labels:
    return one.stack, one.instance, one.base_port


def _of_service(known: dict[str, Labels], key: ServiceKey) -> Labels:
    return *known[key.instance_id], key.name


def _add_instance(page: _Page, one: InstanceSnapshot) -> None:
    labels = _labels(one)
    worktree = one.config.rpartition("/")[0]
    page.add(families.INSTANCE_INFO, (*labels, one.instance_id, worktree), 1)
    page.add_states(families.INSTANCE_STATE, labels, SHOWN_STATES, one.state)


def _add_service(page: _Page, labels: Labels, service: ServiceSnapshot) -> None:
    page.add(families.UP, labels, service.pid is not None)
    page.add(families.READY, labels, service.ready)
    page.add_states(families.STATE, labels, SERVICE_STATES, service.state)
    page.add(families.RESTARTS, labels, service.restarts)
    if service.uptime_s is not None:
        page.add(families.UPTIME, labels, service.uptime_s)
    for pool, port in service.ports.items():
        page.add(families.PORT, (*labels, pool), port)
    if service.shield in ("up", "lost"):
        page.add(families.SHIELD, labels, service.shield == "up")


def _add_usage(page: _Page, labels: Labels, usage: Usage) -> None:
    page.add(families.CPU, labels, usage.cpu_seconds)
    page.add(families.MEMORY, labels, usage.memory)
    page.add(families.PROCESSES, labels, usage.processes)


def _add_pool(page: _Page, labels: Labels, strip: pools.Strip) -> None:
    counts = Counter(cell.state for cell in strip.cells)
    for state in pools.CellState:
        page.add(families.POOL, (*labels, state.value), counts[state])


def _add_timings(page: _Page, labels: Labels, services: dict[str, Any]) -> None:
    for name, phase, figures in _phases(services):
        for quantile, key in QUANTILES.items():
            page.add(families.PHASES, (*labels, name, phase), figures[key] / 1000, quantile=quantile)
        page.add(families.PHASES, (*labels, name, phase), figures["count"], "_count")


def _phases(services: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, float]]]:
    """Those that are what they should be: whoever answers may be another program."""
    for name, phases in services.items():
        for phase, figures in phases.items() if isinstance(phases, dict) else ():
            if isinstance(figures, dict) and all(map(_is_figure, map(figures.get, FIGURES))):
                yield name, phase, figures


def _is_figure(value: Any) -> bool:
    return isinstance(value, int | float) and _can_be(value)
