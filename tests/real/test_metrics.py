"""`GET /metrics` of a real server: what it says, and that nothing that is told by others breaks it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from harness import WAITS, Home, Portsup, write_stack
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain
from stand_in import Imposter, Loop, publish, record, service
from web_help import Api, serving, up

from supervisor.web.metric_families import FAMILIES

Parser = Callable[[str], Iterable[Metric]]

PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5"
)


class Page:
    """A page as a scraper reads it."""

    def __init__(self, text: str, parse: Parser) -> None:
        self.metrics = list(parse(text))
        self._samples = [sample for metric in self.metrics for sample in metric.samples]

    def value(self, name: str, **labels: str) -> float:
        """Of the one sample that has these labels, and perhaps others."""
        (found,) = self.values(name, **labels)
        return found

    def values(self, name: str, **labels: str) -> list[float]:
        return [found.value for found in self._samples if found.name == name and _has(found.labels, labels)]

    def labels(self, name: str) -> list[Mapping[str, str]]:
        return [found.labels for found in self._samples if found.name == name]


def _has(found: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return wanted.items() <= found.items()


def scrape(api: Api, parse: Parser = plain, **headers: str) -> Page:
    status, answered, body = api.get("/metrics", headers=headers)
    assert (status, answered["cache-control"]) == (200, "no-cache")
    return Page(body.decode(), parse)


@pytest.mark.slow
def test_it_says_what_status_says(portsup: Portsup, portsup_home: Home, ports_block: int) -> None:
    """Of a service that is ready, of one that was given up and of one that was stopped; in both formats."""
    fails = {"command": ["false"], "backoff": {"initial": "10ms", "limit": 2}}
    write_stack(
        portsup.cwd,
        {
            "api": {"pool": {"offset": 0, "size": 3}, "pools": {"admin": {"offset": 10, "size": 2}}},
            "job": fails,
            "idle": {"command": WAITS},
        },
        base_port=ports_block,
    )
    assert portsup.run("up", "-d").returncode == 0
    portsup.wait_for_service(1, "job", "FATAL")
    portsup.wait_for_service(1, "api", "RUNNING")
    assert portsup.run("stop", "idle").returncode == 0
    with serving(portsup_home, ports_block + 500) as api:
        pages = [scrape(api), scrape(api, openmetrics, Accept=PROMETHEUS)]
    instance = portsup.instance(1)
    for page in pages:
        _agrees(page, instance)
        _tells_its_usage(page)
        assert page.value("portsup_scrape_duration_seconds") > 0
    assert portsup.run("down").returncode == 0


def _agrees(page: Page, instance: Mapping[str, Any]) -> None:
    stack, base_port = instance["stack"], str(instance["base_port"])
    assert page.labels("portsup_instance_info") == [
        {
            "stack": stack,
            "number": "1",
            "base_port": base_port,
            "instance_id": instance["instance_id"],
            "worktree": instance["config"].removesuffix("/services.toml"),
        }
    ]
    assert page.value("portsup_instance_state", state=instance["state"]) == 1
    assert sum(page.values("portsup_instance_state")) == 1
    for one in instance["services"]:
        whose = {"stack": stack, "number": "1", "base_port": base_port, "service": one["name"]}
        assert page.value("portsup_service_up", **whose) == (one["pid"] is not None)
        assert page.value("portsup_service_ready", **whose) == one["ready"]
        assert page.value("portsup_service_state", state=one["state"], **whose) == 1
        assert sum(page.values("portsup_service_state", **whose)) == 1
        assert page.value("portsup_service_restarts_total", **whose) == one["restarts"]
        for pool, ports in one["pools"].items():
            assert page.value("portsup_service_port", pool=pool, **whose) == one["ports"][pool]
            assert page.value("portsup_pool_ports", pool=pool, state="ours", **whose) == 1
            assert page.value("portsup_pool_ports", pool=pool, state="free", **whose) == len(ports) - 1


def _tells_its_usage(page: Page) -> None:
    """Only of what runs and of what was done."""
    assert page.value("portsup_service_shield_up", service="api") == 1
    assert page.values("portsup_service_shield_up", service="job") == []
    assert page.value("portsup_service_uptime_seconds", service="api") > 0
    assert page.values("portsup_service_uptime_seconds", service="idle") == []
    assert page.value("portsup_service_processes", service="api") == 1
    assert page.value("portsup_service_resident_memory_bytes", service="api") > 1_000_000
    assert page.value("portsup_service_cpu_seconds_total", service="api") > 0
    assert page.values("portsup_service_processes", service="job") == []
    phases = "portsup_service_phase_duration_seconds"
    assert page.value(f"{phases}_count", service="job", phase="spawn") == 3
    middle, high, top = (
        page.value(phases, service="api", phase="ready", quantile=quantile)
        for quantile in ("0.5", "0.95", "1")
    )
    assert 0 < middle <= high <= top < 60


HOSTILE = 'a\n"\\\r\x00{}#\ud800é,='


def test_whatever_others_say(loop: Loop, portsup_home: Home, ports_block: int) -> None:
    """Names with what has a meaning in the format, figures that are none, or too large, a version that is no
    number: the page can be read, and has everything once."""
    figures = {"count": 2, "median_ms": 1.5, "p95_ms": 2.0, "max_ms": 2.5}
    phases = {HOSTILE: figures, "a": {**figures, "max_ms": 10**400}, "b": {"count": "x"}, "c": None}
    timings = {HOSTILE: phases, "other": 3}
    pools = {HOSTILE: (ports_block,)}
    twice = service(
        HOSTILE, ports=dict.fromkeys(pools, ports_block), pools=pools, restarts=10**400, shield="lost"
    )
    up(loop, portsup_home, 1, twice, twice, timings=timings, stack=HOSTILE, config="/odd\n/services.toml")
    with serving(portsup_home, ports_block + 500) as api:
        for parse, accept in [(plain, "text/plain;version=x"), (openmetrics, PROMETHEUS)]:
            page = scrape(api, parse, Accept=accept)
            (labels,) = page.labels("portsup_service_up")
            assert labels["service"] == labels["stack"] == HOSTILE.replace("\ud800", "?")
            assert page.labels("portsup_instance_info")[0]["worktree"] == "/odd\n"
            assert page.values("portsup_service_restarts_total") == []
            assert page.value("portsup_service_shield_up") == 0
            assert page.value("portsup_pool_ports", state="free") == 1
            assert page.value("portsup_service_phase_duration_seconds_count") == 2
            assert {_stem(metric.name) for metric in page.metrics} == {_stem(one.name) for one in FAMILIES}


def _stem(name: str) -> str:
    """Without what the one format adds and the other leaves out."""
    return name.removesuffix("_total").removesuffix("_info")


def test_a_frozen_supervisor(loop: Loop, portsup_home: Home, ports_block: int) -> None:
    """It is said to be unreachable; the others are there, also for several who ask at once, and soon."""
    up(loop, portsup_home, 1, service("api"))
    frozen = record(portsup_home.folder, 2)
    publish(portsup_home.locks, frozen)
    with (
        serving(portsup_home, ports_block) as api,
        Imposter(frozen.socket, None),
        ThreadPoolExecutor(4) as pool,
    ):
        began = time.monotonic()
        pages = list(pool.map(scrape, [api] * 4))
        assert time.monotonic() - began < 10
    for page in pages:
        assert page.value("portsup_instance_state", number="2", state="unreachable") == 1
        assert page.value("portsup_service_up", number="1") == 1
